"""Owns stderr: errors, warnings and notes for the person at the terminal or the log of the cron job."""

import sys

from infercost.errors import InfercostError


def fail(error: InfercostError) -> int:
    """Say what went wrong and what to do next; return the exit code."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"  hint: {error.hint}")
    return int(error.exit_code)


def warn(text: str) -> None:
    """Say something that did not stop the command."""
    say(f"warning: {text}")


def say(text: str) -> None:
    """Write one line to stderr; characters that would steer a terminal are shown as their escapes."""
    # Where both streams go to one place, what was printed before is to stand before.
    sys.stdout.flush()
    sys.stderr.write(safe(text) + "\n")


def safe(text: str) -> str:
    """Return text from a log with control characters and direction marks made visible."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )
