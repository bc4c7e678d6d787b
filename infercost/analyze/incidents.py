"""What a check tells against the one before: each incident once, again when it is worse, and when it is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from infercost.analyze.findings import Checked, Finding, Kind, News, Outcome

EVERYTHING = ""
"""The part that is everything (see findings)."""

WORSE = 1.5
"""How many times as bad as it was told a finding must be to be told again."""


@dataclass(frozen=True)
class Told:
    """An incident as it was told: when first, how bad, in which words, of which parts of the spend, and as whose."""

    first: datetime
    size: float
    title: str
    kind: Kind
    parts: frozenset[str] = frozenset()
    follows: str | None = None


@dataclass(frozen=True)
class Memory:
    """What earlier checks told: incidents that go on, by the key of their finding, and keys that could not be told.

    Where it `is_fresh` all is told as if it had not been.
    """

    told: Mapping[str, Told] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    is_fresh: bool = False


def is_known(finding: Finding, memory: Memory) -> bool:
    """Return whether a finding was told already and is no worse since: neither larger nor of a part more.

    Of everything each part is a part.
    """
    told = memory.told.get(finding.key)
    if told is None or memory.is_fresh or finding.size > WORSE * told.size:
        return False
    return EVERYTHING in told.parts or told.parts.issuperset(finding.parts)


def compare(made: Checked, memory: Memory) -> tuple[Checked, Memory]:
    """Return a check with what is new in it and what is over, and what the next check is to remember.

    What could not be told this time is neither over nor forgotten. An event has no end and is told once; what follows
    from another finding ends with it.
    """
    findings = tuple(_with_news(each, memory) for each in made.findings)
    kept: dict[str, Told] = {}
    for finding in findings:
        if finding.outcome is Outcome.FIRED:
            before = memory.told.get(finding.key)
            size = finding.size if finding.news in (News.NEW, News.WORSE) or before is None else before.size
            first = before.first if before else made.checked_at
            parts = frozenset(finding.parts) | (before.parts if before else frozenset())
            kept[finding.key] = Told(first, size, finding.title, finding.kind, parts, finding.follows)
    outcomes = {each.key: each.outcome for each in findings}
    is_blind = any(each.key == "data" for each in findings)
    over = []
    for key, told in memory.told.items():
        if key in kept:
            continue
        if is_blind or outcomes.get(key) is Outcome.UNKNOWN:
            kept[key] = told
        elif told.kind is not Kind.EVENT and told.follows is None:
            over.append(_ended(key, told, findings))
    unknown = frozenset(each.key for each in findings if each.outcome is Outcome.UNKNOWN)
    return replace(made, findings=findings, over=tuple(over)), Memory(kept, unknown)


def _with_news(finding: Finding, memory: Memory) -> Finding:
    if finding.outcome is Outcome.OK:
        return finding
    if finding.outcome is Outcome.UNKNOWN:
        return replace(
            finding, news=News.ONGOING if finding.key in memory.unknown and not memory.is_fresh else News.NEW
        )
    if finding.key not in memory.told or memory.is_fresh:
        return replace(finding, news=News.NEW)
    if is_known(finding, memory):
        return replace(finding, news=News.ONGOING, follows=memory.told[finding.key].follows)
    return replace(finding, news=News.WORSE)


def _ended(key: str, told: Told, findings: Sequence[Finding]) -> Finding:
    """Return the end of an incident, with its present value where it is still looked at."""
    now = next((each for each in findings if each.key == key), None)
    ended = now or Finding(key, told.kind, told.title, Outcome.OK, "")
    return replace(ended, title=told.title, since=told.first, news=News.OVER)
