"""What a store says of the answers, in the shape of the stand-in's truth."""

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

from real.stand_in import Attempt, Tokens

if TYPE_CHECKING:
    from lab import Lab

KINDS = tuple(field.name for field in fields(Tokens))
LEAVES = ", ".join(f"{kind}_tokens" for kind in KINDS)

Leaves = dict[str, int | None]


class Answer(NamedTuple):
    """One attempt with status ok: its case, the provider's id, sums and kinds; None is unknown."""

    case: str
    response_id: str | None
    usage_source: str
    input: int | None
    output: int | None
    leaves: Leaves

    @property
    def tokens(self) -> Tokens:
        """The kinds with 0 for unknown."""
        return Tokens(**{kind: count or 0 for kind, count in self.leaves.items()})


def answers(lab: "Lab", tag: str) -> list[Answer]:
    """Return the attempts that a provider answered, by case; `tag` is the tag that holds the case."""
    rows = lab.rows(
        f"SELECT tags['{tag}'], response_id, usage_source, input_tokens, output_tokens, {LEAVES} FROM attempts "
        "WHERE status = 'ok' AND gateway_cache IS DISTINCT FROM 'hit' ORDER BY 1"
    )
    return [Answer._make((*row[:5], dict(zip(KINDS, row[5:], strict=True)))) for row in rows]


def failures(lab: "Lab", tag: str) -> dict[str, int]:
    """Return by case how many failed attempts the store knows of, as rows or as counts on other rows."""
    rows = lab.rows(
        f"SELECT tags['{tag}'], count(*) FILTER (status = 'error') + coalesce(sum(unlogged_attempts), 0)::BIGINT "
        "FROM attempts GROUP BY 1"
    )
    return {case: count for case, count in rows if count}


def failed(truth: Iterable[Attempt]) -> dict[str, int]:
    """Return by case how many attempts really failed."""
    counts: dict[str, int] = {}
    for attempt in truth:
        if not attempt.billed:
            counts[attempt.case] = counts.get(attempt.case, 0) + 1
    return counts


def less(truth: dict[str, int], told: dict[str, int]) -> dict[str, int]:
    """Return what is in the truth and not told, by case; more told than true is negative."""
    found = {case: truth.get(case, 0) - told.get(case, 0) for case in truth | told}
    return {case: count for case, count in found.items() if count}
