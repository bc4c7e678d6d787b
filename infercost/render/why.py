"""Says why spend changed, in sentences made from figures; each names the rows of the tables that its numbers are in."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from infercost.analyze.drivers.noise import TIMES_NOISE
from infercost.analyze.explanation import (
    UNKNOWN,
    VERDICTS,
    WITHIN,
    Contribution,
    DriverLine,
    Event,
    Explanation,
    Measure,
)
from infercost.render import format as fmt

MOST_VALUES = 3
"""Values of a segment that are named; the rest is counted."""

WIDE = Decimal("0.25")
"""From this width of the range on, as a share of the effect, a driver is said to interact with others."""

PARTLY = 0.995


@dataclass(frozen=True)
class Sentence:
    """A sentence and the ids of the rows that its numbers stand in, such as `driver-routing`."""

    text: str
    rows: tuple[str, ...]


def row_id(line: DriverLine) -> str:
    """Return the id of a driver's row."""
    return f"driver-{line.name.replace('_', '-')}"


def headline(explanation: Explanation) -> Sentence:
    """Return the one sentence: how much, from what to what, and the causes with their dollars."""
    change = explanation.change
    if not change:
        start = f"Spend stayed at {fmt.dollars(explanation.after)}"
    else:
        share = f" ({fmt.percent(float(abs(change) / explanation.before))})" if explanation.before else ""
        word = "rose" if change > 0 else "fell"
        start = (
            f"Spend {word} {fmt.dollars(abs(change))}{share} from {fmt.dollars(explanation.before)} "
            f"to {fmt.dollars(explanation.after)}"
        )
    lines = explanation.main_lines[:3]
    causes = ", ".join(f"{_subject(line)} {fmt.dollars(line.effect, signed=True)}" for line in lines)
    text = f"{start}: {causes}." if causes else f"{start}; no driver moved by more than it usually does."
    price = next(line for line in explanation.drivers if line.name == "list_price")
    if not price.effect:
        text += " No list price changed."
    return Sentence(text, ("total", *(row_id(line) for line in lines)))


def sentences(explanation: Explanation) -> tuple[Sentence, ...]:
    """Return a sentence for each driver that is worth one, then what goes for all of them."""
    found = [Sentence(driver_text(line, explanation), (row_id(line),)) for line in explanation.main_lines]
    return (*found, *(Sentence(note, ("total",)) for note in explanation.notes))


def driver_text(line: DriverLine, explanation: Explanation) -> str:
    """Return what a driver did, where, by which quantity, since when and how sure it is."""
    verb = "added" if line.effect > 0 else "saved"
    if line.name == "calendar":
        return (
            f"The calendar {verb} {fmt.dollars(abs(line.effect))}: in this window's hours and weekdays the baseline "
            f"would have cost {fmt.dollars(explanation.matched)} instead of {fmt.dollars(explanation.before)}."
        )
    parts = [f"{line.title} {verb} {fmt.dollars(abs(line.effect))}{_where(line)}"]
    if line.measures:
        parts.append(": " + "; ".join(measure_text(each) for each in line.measures))
    text = "".join(parts)
    if line.onset:
        text += f"; {_since(line, explanation)}"
    text += "."
    width = abs(line.undo - line.only)
    if width > abs(line.effect) * WIDE:
        text += (
            f" It works together with other drivers: {fmt.dollars(line.only, signed=True)} had only it changed, "
            f"{fmt.dollars(line.undo, signed=True)} that undoing it would take off now."
        )
    return text


def _subject(line: DriverLine) -> str:
    title = line.title[0].lower() + line.title[1:]
    if line.segment is None or line.segment.is_broad:
        return title
    return f"{title} in {_names(line.segment.values[0])}"


def _where(line: DriverLine) -> str:
    segment = line.segment
    if segment is None or line.name == "calendar":
        return ""
    if segment.is_broad:
        return " across the board"
    named = " and ".join(f"{name.replace('_', ' ')} {_names(values)}" for name, values in segment.places)
    share = "" if segment.share >= PARTLY else f", {fmt.percent(segment.share)} of it"
    return f"{share} in {named}"


def _names(values: Sequence[str]) -> str:
    shown = ", ".join(fmt.name(value) for value in values[:MOST_VALUES])
    return shown if len(values) <= MOST_VALUES else f"{shown} and {len(values) - MOST_VALUES} more"


def quiet_text(explanation: Explanation) -> str | None:
    """Return why there is no bridge to draw, None where any driver moved."""
    if any(line.effect for line in explanation.drivers):
        return None
    if explanation.unpriced_attempts and not explanation.after and not explanation.before:
        return "No attempt of either window has a price, so there are no dollars to explain."
    if not explanation.after and not explanation.before:
        return "Nothing was spent in either window, so there is nothing to explain."
    return "Every driver is where it was: not one moved a dollar."


def measure_text(measure: Measure) -> str:
    """Return a quantity before and after: `prompt tokens per request went from 1,900 to 2,800`."""
    return f"{fmt.name(measure.name, 80)} went from {quantity(measure, measure.before)} to " + quantity(
        measure, measure.after
    )


def quantity(measure: Measure, value: float | None) -> str:
    """Return one side of a measure in its unit."""
    if value is None:
        return "none"
    if measure.unit == "share":
        return fmt.percent(value)
    if measure.unit == "usd_per_mtok":
        return f"{fmt.dollars(Decimal(str(round(value, 6))))} per million tokens"
    if measure.unit == "ratio":
        return fmt.ratio(value, places=3)
    return fmt.count(round(value))


def _since(line: DriverLine, explanation: Explanation) -> str:
    onset = line.onset
    if onset is None:
        return ""
    if onset.shape == "throughout":
        return "there from the window's beginning"
    days = explanation.bucket_unit == "day"

    def text(when: object) -> str:
        return fmt.day(when) if days else fmt.moment(when, explanation.zone)  # type: ignore[arg-type]

    verb = "growing since" if onset.shape == "gradual" else "since"
    interval = ""
    if onset.earliest != onset.latest:
        interval = f" (between {text(onset.earliest)} and {text(onset.latest)})"
    return f"{verb} {text(onset.began)}{interval}"


def where_text(line: DriverLine) -> str:
    """Return the segment for a table cell: `search_rag`, `broad`, or nothing."""
    if line.segment is None or line.name == "calendar":
        return ""
    if line.segment.is_broad:
        return "broad"
    return " / ".join(_names(values) for values in line.segment.values)


def verdict_text(line: DriverLine) -> str:
    """Return how an effect stands against its noise: `6.1 x noise`, `normal`, `too little history`."""
    if line.verdict == WITHIN:
        return "normal"
    if line.verdict == UNKNOWN:
        return "not judged"
    if line.noise:
        return f"{fmt.ratio(float(abs(line.effect) / line.noise), places=1)} x noise"
    return "exact" if line.verdict == "exact" else VERDICTS[line.verdict]


def noise_note(explanation: Explanation) -> str:
    """Return what the verdicts stand on."""
    if weeks := explanation.placebo_weeks:
        return (
            f"An effect counts when it is more than {TIMES_NOISE[weeks]} times what its driver moves from week to week "
            f"(over {weeks} past weeks) and more than 1 % of spend."
        )
    return "Not enough history to judge what is normal: fewer than five past weeks lie before the baseline."


def baseline_note(explanation: Explanation) -> str:
    """Return how the windows were made comparable."""
    return (
        f"The baseline is matched hour by hour ({explanation.matching}): it would have cost "
        f"{fmt.dollars(explanation.matched)} in the current window's hours."
    )


def contribution_text(each: Contribution, titles: dict[str, str]) -> str:
    """Return the name of a contribution: `Routing in chat_support`."""
    if each.driver is None:
        return "All others"
    return f"{titles[each.driver]} in {', '.join(fmt.name(value) for _, value in each.conditions)}"


def event_text(event: Event, explanation: Explanation) -> str:
    """Return an event: when, what, and what it cost in the window."""
    cost = "" if event.cost is None else f" ({fmt.dollars(event.cost)} since)"
    return f"{fmt.moment(event.when, explanation.zone)}  {event.kind}: {fmt.name(event.name)}{cost}"


def undone(explanation: Explanation) -> list[str]:
    """Return the counterfactual of each driver that has a sentence; there is no other calendar."""
    return [undo_text(line, explanation) for line in explanation.main_lines if line.name != "calendar"]


def undo_text(line: DriverLine, explanation: Explanation) -> str:
    """Return the counterfactual of a driver: `Had routing stayed as it was: $1,859.76 instead of $2,013.86`."""
    return (
        f"Had {line.title[0].lower()}{line.title[1:]} stayed as it was: "
        f"{fmt.dollars(explanation.after - line.undo)} instead of {fmt.dollars(explanation.after)}."
    )
