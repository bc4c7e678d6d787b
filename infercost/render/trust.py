"""What the figures stand on, as short facts and as warnings in whole sentences."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infercost.analyze.headline import BAD_SHARE
from infercost.analyze.report import NamedCount, Report, Trust, Window
from infercost.render import format as fmt

if TYPE_CHECKING:
    from collections.abc import Callable

BAD_UNATTRIBUTED_SHARE: Final = 0.25
"""From this share of attempts on, a table by feature or team says more about the rules than about the spend."""

NEVER: Final = 2.0
"""For a share that is worth a look and never bad."""

NAMED_MODELS: Final = 5
"""Models without a price, or with that of another name, that are named; the rest is counted."""


@dataclass(frozen=True)
class Fact:
    """A label, its value, the exact value, more detail, and a state: `ok`, `warn` or `bad`.

    `is_whole` says that the detail belongs to it also where there is little room and no fault.
    """

    label: str
    text: str
    exact: str
    detail: str = ""
    state: str = "ok"
    is_whole: bool = False


def window_text(window: Window, zone: str) -> str:
    """Return a window for people, its last day included: `8-14 Nov 2026`."""
    return fmt.span(window.start, window.end, zone, whole_days=window.days is not None)


def window_exact(window: Window) -> str:
    """Return a window's half-open bounds in ISO 8601."""
    return f"{window.start.isoformat()} to {window.end.isoformat()}, end excluded"


def length_text(window: Window) -> str:
    """Return how long a window is: `7 complete days`, or `12 h` when it is not made of whole days."""
    if window.days is None:
        return fmt.duration((window.end - window.start) / timedelta(seconds=1))
    return fmt.plural(window.days, "complete day")


def facts(report: Report) -> tuple[Fact, ...]:
    """Return the trust strip in its order: what is compared, what was read, what is not known, which prices."""
    restated = [Fact("Restated", report.restated, report.restated, "", "warn")] if report.restated else []
    return (*_frame(report), *restated, *_read(report), *_unknown(report.trust), *_prices(report.trust))


def warnings(report: Report) -> tuple[str, ...]:
    """Return a sentence for everything unknown that is large enough to change the answer; empty when nothing is."""
    trust = report.trust
    checks: tuple[tuple[int, int, float, Callable[[str], str]], ...] = (
        (
            trust.unpriced_attempts,
            trust.attempts,
            BAD_SHARE,
            lambda share: f"{share} of the attempts have no price and are in no amount here{_named(trust)}.",
        ),
        (
            trust.no_usage_attempts,
            trust.attempts,
            BAD_SHARE,
            lambda share: f"{share} of the attempts were logged without token counts, so their cost is not known.",
        ),
        (
            trust.rejected,
            trust.records,
            BAD_SHARE,
            lambda share: f'{share} of the records could not be read; list them with: infercost sql "from rejects".',
        ),
        (
            trust.sampled_attempts,
            trust.attempts,
            BAD_SHARE,
            lambda share: (
                f"{share} of the attempts come from exports that hold a sample of the traffic; the amounts "
                "are those of the sample."
            ),
        ),
        (
            trust.unattributed_attempts,
            trust.attempts,
            BAD_UNATTRIBUTED_SHARE,
            lambda share: f"{share} of the attempts match no attribution rule; the totals hold, the tables are coarse.",
        ),
    )
    return tuple(
        say(fmt.percent(part / whole)) for part, whole, limit, say in checks if whole and part / whole >= limit
    )


def named_models(models: tuple[NamedCount, ...]) -> str:
    """Return the unpriced models by name, the first few, with how many more there are; empty without models."""
    return _first_few([fmt.name(model.name) for model in models])


def _first_few(names: list[str]) -> str:
    rest = [f"{len(names) - NAMED_MODELS:,} more"] if len(names) > NAMED_MODELS else []
    return ", ".join([*names[:NAMED_MODELS], *rest])


def _named(trust: Trust) -> str:
    return f" ({named_models(trust.unpriced_models)})" if trust.unpriced_models else ""


def _frame(report: Report) -> list[Fact]:
    current, baseline = report.current, report.baseline
    found = [Fact("Window", window_text(current, report.zone), window_exact(current), length_text(current))]
    if report.empty_baseline is not None:
        text = f"no data of {window_text(report.empty_baseline, report.zone)}"
        found.append(Fact("Compared with", "nothing", window_exact(report.empty_baseline), text, "warn"))
    elif baseline is None:
        found.append(Fact("Compared with", "nothing", "this report has no window before", "no window before"))
    else:
        text = window_text(baseline, report.zone)
        found.append(Fact("Compared with", text, window_exact(baseline), length_text(baseline)))
    found.append(Fact("Time zone", report.zone, f"days are cut in {report.zone}"))
    found.append(Fact("Currency", report.currency, "all amounts are in this currency"))
    return found


def _read(report: Report) -> list[Fact]:
    trust = report.trust
    newest = f"newest {fmt.moment(trust.newest_event, report.zone)}" if trust.newest_event else ""
    return [
        Fact("Records read", fmt.count(trust.records), fmt.exact_count(trust.records), newest),
        Fact(
            "Attempts",
            fmt.count(trust.attempts),
            fmt.exact_count(trust.attempts),
            fmt.plural(trust.requests, "request"),
        ),
        Fact("Duplicates removed", fmt.count(trust.duplicates), fmt.exact_count(trust.duplicates), _overlapping(trust)),
        _share("Rejected", trust.rejected, trust.records, "records"),
    ]


def _overlapping(trust: Trust) -> str:
    return f"and {fmt.count(trust.overlapping)} told by two formats" if trust.overlapping else ""


def _unknown(trust: Trust) -> list[Fact]:
    found = [
        _share("Not priced", trust.unpriced_attempts, trust.attempts, "attempts", named_models(trust.unpriced_models)),
        _share("No token counts", trust.no_usage_attempts, trust.attempts, "attempts"),
    ]
    if trust.estimated_attempts:
        found.append(_share("Tokens estimated", trust.estimated_attempts, trust.attempts, "attempts"))
    if trust.contradicting_attempts:
        found.append(_share("Contradicting records", trust.contradicting_attempts, trust.attempts, "attempts"))
    if trust.sampled_attempts:
        calls = f"stand for {fmt.count(trust.sampled_calls)} calls; not scaled up"
        found.append(_share("From samples", trust.sampled_attempts, trust.attempts, "attempts", calls))
    if trust.folded_attempts:
        detail = "one record a request: retries do not show"
        found.append(_share("Retries folded in", trust.folded_attempts, trust.attempts, "attempts", detail, NEVER))
    cost = f"{fmt.dollars(trust.unattributed_cost)} of cost" if trust.unattributed_attempts else ""
    found.append(
        _share("Not attributed", trust.unattributed_attempts, trust.attempts, "attempts", cost, BAD_UNATTRIBUTED_SHARE)
    )
    return found


def _prices(trust: Trust) -> list[Fact]:
    aliased = trust.aliased_models
    if not aliased:
        return [_price_book(trust)]
    names = [
        f"{fmt.name(each.name)} → {fmt.name(each.provider)} {fmt.name(each.model)} ({each.method})" for each in aliased
    ]
    text = f"{fmt.plural(len(aliased), 'model')} priced through another name"
    attempts = f"{sum(each.attempts for each in aliased):,} of {trust.attempts:,} attempts"
    return [_price_book(trust), Fact("Aliases", text, attempts, _first_few(names), is_whole=True)]


def _price_book(trust: Trust) -> Fact:
    books = trust.price_books
    if not books:
        return Fact("Price book", "none used", "no attempt was priced from a price book")
    return Fact("Price book", ", ".join(map(fmt.name, books)), ", ".join(map(fmt.full_name, books)))


def _share(label: str, part: int, whole: int, noun: str, detail: str = "", bad: float = BAD_SHARE) -> Fact:
    """Return a fact that is fine at zero, worth a look above it, and bad from the share `bad` on."""
    if not part:
        return Fact(label, "none", f"0 of {whole:,} {noun}")
    share = part / whole if whole else 1.0
    state = "bad" if share >= bad else "warn"
    return Fact(
        label, fmt.percent(share), f"{part:,} of {whole:,} {noun}", detail or f"{fmt.count(part)} {noun}", state
    )
