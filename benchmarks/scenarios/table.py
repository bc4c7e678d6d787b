"""Draws what the scenarios gave: the table, the aims, and docs/scenarios.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean

from scenarios.judge import Verdict
from scenarios.quiet import Quiet

HEADER = ("scenario", "causes", "true $", "misassigned", "max", "err", "leak", "top-1", "top-3", "place", "undo")


@dataclass(frozen=True)
class Aim:
    """One aim: what is measured, the figure, and the limit that it must keep."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def rows(verdicts: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """Return a row a scenario, each figure the mean over the seeds."""
    return [_row(name, [each for each in verdicts if each.name == name]) for name in _names(verdicts)]


def _names(verdicts: Sequence[Verdict]) -> list[str]:
    return list(dict.fromkeys(each.name for each in verdicts))


def _row(name: str, found: list[Verdict]) -> tuple[str, ...]:
    causes = found[0].true
    return (
        f"{name} *" if found[0].held_out else name,
        " + ".join(causes),
        " / ".join(f"{mean(each.true[cause] for each in found):+,.0f}" for cause in causes),
        _percent(mean(each.misassigned for each in found)),
        _percent(max(each.misassigned for each in found)),
        _percent(mean(each.error for each in found)),
        _percent(mean(each.leak for each in found)),
        f"{mean(each.top_1 for each in found):.1f}",
        f"{mean(each.top_3 for each in found):.1f}",
        f"{mean(places):.1f}" if (places := [right for each in found for right in each.segments]) else "",
        _percent(mean(each.undo_error for each in found)),
    )


def aims(verdicts: Sequence[Verdict], quiet: Sequence[Quiet]) -> list[Aim]:
    """Return the aims with what was measured of them."""
    found: list[Aim] = []
    if verdicts:
        big = [each for each in verdicts if each.big] or verdicts
        places = [right for each in verdicts for right in each.segments] or [True]
        found += [
            Aim("largest residual, $", max(each.residual for each in verdicts), 0),
            Aim("misassigned, mean", mean(each.misassigned for each in verdicts), 0.025),
            Aim("misassigned, worst run", max(each.misassigned for each in verdicts), 0.15),
            Aim("true drivers in the top 3", mean(each.top_3 for each in verdicts), 1, at_least=True),
            Aim("true driver first, from 8 % of spend", mean(each.top_1 for each in big), 1, at_least=True),
            Aim("places named exactly", mean(places), 0.95, at_least=True),
            Aim("undo saves, mean error", mean(each.undo_error for each in verdicts), 0.04),
        ]
    if quiet:
        pairs = quiet[0].spurious
        spurious = [mean(world.spurious[name] for world in quiet) for name in pairs]
        found += [
            Aim(
                "quiet weeks, drivers flagged",
                sum(len(world.flagged) for world in quiet) / sum(world.judged for world in quiet),
                0.025,
            ),
            Aim("unlike windows, worst spurious change", max(spurious), 0.04),
        ]
    return found


def draw(verdicts: Sequence[Verdict], quiet: Sequence[Quiet]) -> str:
    """Return everything as Markdown tables, which read well in a terminal too."""
    parts = [_table(HEADER, rows(verdicts))] if verdicts else []
    if quiet:
        spurious = [
            (
                name,
                _percent(mean(world.spurious[name] for world in quiet)),
                _percent(max(w.spurious[name] for w in quiet)),
            )
            for name in quiet[0].spurious
        ]
        parts.append(_table(("windows without an incident", "spurious change", "max"), spurious))
    parts.append(_table(("aim", "measured", "limit", ""), [_aim(each) for each in aims(verdicts, quiet)]))
    return "\n\n".join(parts) + "\n"


def _aim(aim: Aim) -> tuple[str, ...]:
    shown: Callable[[float], str] = (lambda value: f"{value:g}") if aim.limit == 0 else _percent
    if not aim.is_met and shown(aim.value) == shown(aim.limit):
        # What is missed by less than a digit is not to look met.
        shown = partial(_percent, places=2)
    return (
        aim.name,
        shown(aim.value),
        f"{'>=' if aim.at_least else '<='} {shown(aim.limit)}",
        "" if aim.is_met else "MISSED",
    )


def _table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in (header, *body)) for place in range(len(header))]
    lines = [header, ["-" * width for width in widths], *body]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _percent(share: float, *, places: int = 1) -> str:
    return f"{100 * share:.{places}f} %"
