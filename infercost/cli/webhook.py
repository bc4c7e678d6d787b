"""Tells a check to webhooks: one POST each, tried again where that can help, and never for long."""

import time

from infercost import __version__

TRIES = 3
SECONDS = 5.0
"""Time that one try may take."""

WAIT = 1.0
"""Seconds before the second try; twice as long before each further one."""

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


def post(url: str, body: str) -> str | None:
    """Send JSON to a webhook; return None when it was taken, else what went wrong, without the address's secrets.

    A time-out, a lost connection, and answers that say "later" are tried again.
    """
    # Most checks tell nothing, and are to be quick.
    import urllib.error
    import urllib.request

    problem = "nothing was tried"
    for number in range(TRIES):
        if number:
            time.sleep(WAIT * 2 ** (number - 1))
        request = urllib.request.Request(  # noqa: S310 (the configuration takes https:// and http:// alone)
            url,
            data=body.encode("utf-8"),
            headers={"Content-Type": "application/json", "User-Agent": f"infercost/{__version__}"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
                return None
        except urllib.error.HTTPError as error:
            problem = f"answered {error.code} {error.reason}"
            if error.code not in _TRY_AGAIN:
                break
        except (OSError, ValueError) as error:
            problem = str(getattr(error, "reason", error))
    return problem


def shown(url: str) -> str:
    """Return the address of a webhook without its path, which often is the secret."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}/…"
