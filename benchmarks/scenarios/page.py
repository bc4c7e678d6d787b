"""Writes docs/scenarios.md: what is played, how it is judged, and what the last run measured."""

from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"

AIMED = 20_000
"""Requests a day at which the aims were taken; a run of this size has a page of its own."""

_TEXT = """# Incidents with known causes

`just scenarios --write` makes this page. It measures how well infercost names what changed the spend, on made-up
traffic of a company with eight features, four cohorts, seven models, caches, retries, batches, daily and weekly cycles
and noise. Every incident goes through the whole pipeline: a log is written (JSON Lines, read by a mapping file),
ingested, priced by dated prices, and explained. Figures are properties of infercost on this traffic, not a promise for
yours.

**Truth.** The same traffic is simulated with and without a cause, request by request with the same random draws. The
difference of its cost in the current window is what the cause cost, less what it already cost in the matched hours of
the baseline. Where two or three causes meet, each has the mean of what it adds over every order (the Shapley value over
the simulations of all subsets). Before anything is judged, the store's costs must equal the generator's to 1e-9.

**Judging.** Week-to-week noise is in the traffic with and without the incident, so what infercost says of the same
windows without it is taken off. `err` is the sum over all drivers of |effect - truth| by the true dollars. Effects and
truth add up to the same change, so a dollar in a wrong row counts twice in it: `misassigned` is half of it, `max` its
worst seed. `leak` is the part of `err` that stands with drivers that had no part in it. `top-1` and `top-3` go by
what infercost prints, noise included: whether its largest driver is a true one, and whether all true ones are among
its three largest. `place` is how often the segment named for a cause is exactly the true one. `undo` is how far "undo
saves" is from what reverting each cause saves in a simulation. Scenarios marked with * are held out: no driver was
chosen by them. How a place is found was chosen by seeds 1 to 3 of all scenarios, so `place` is no blind figure.

**Quiet weeks.** In worlds without an incident every week is compared with the four before it, and each driver that
infercost calls beyond its usual variation is a false flag. Windows of other lengths and weekdays are compared too:
whatever is left when the calendar is taken off is spurious.

{scale:,} requests a day, {seeds} {word}. With ten times as many requests there is less noise in a week:
[the same with 20,000](scenarios-20000.md).

{tables}"""


_AIMED_TEXT = """# Incidents with known causes, {scale:,} requests a day

`just scenarios --scale {scale} --write` makes this page: the [scenarios](scenarios.md) at the size at which the aims
were taken. {seeds} {word}.

{tables}"""


def write(tables: str, scale: int, seeds: int) -> None:
    """Write the page of a size."""
    name, text = (f"scenarios-{AIMED}.md", _AIMED_TEXT) if scale == AIMED else ("scenarios.md", _TEXT)
    word = "seed" if seeds == 1 else "seeds"
    (DOCS / name).write_text(text.format(tables=tables, scale=scale, seeds=seeds, word=word), encoding="utf-8")
