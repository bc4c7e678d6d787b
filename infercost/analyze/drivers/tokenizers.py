"""Learns from fallbacks how many tokens models make of one prompt, so that prompts are compared in tokens of one kind.

Without it, a move to a model whose tokenizer makes more tokens of the same text looks like longer prompts.
"""

from collections.abc import Iterable
from math import exp, log
from typing import TYPE_CHECKING

from infercost.analyze.drivers import factors

if TYPE_CHECKING:
    import duckdb

LEAST_TOKENS = 100
"""Prompts below this are left out: whole tokens are too coarse a measure of a ratio there."""

LEAST_PAIRS = 2
"""Prompts that two models must both have counted."""

MOST_SPREAD = 0.02
"""Median deviation of the logarithm of a ratio above which the prompts were not the same."""

MOST_RATIO = 2.0

Pair = tuple[str, str, int, float]
"""Two models, the prompts that both counted, and the logarithm of the second's tokens by the first's."""


def create(connection: "duckdb.DuckDBPyConnection", in_span: str) -> None:
    """Create `driver_tokenizers`: of each model in the span the tokens it makes of one of the most used model's.

    A model that no fallback links to that one has no row. `in_span` is the condition of the attempts to look at.
    """
    prompt = " + ".join(f"coalesce({kind}_tokens, 0)" for kind in factors.PROMPT_KINDS)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_prompts AS
        SELECT request_id, response_model AS model, max({prompt}) AS tokens
        FROM attempts
        WHERE {in_span} AND request_id IS NOT NULL AND response_model IS NOT NULL AND {prompt} >= {LEAST_TOKENS}
        GROUP BY request_id, response_model
        QUALIFY count(*) OVER (PARTITION BY request_id) > 1
    """)
    pairs = connection.execute(f"""
        SELECT one.model, other.model, count(*) AS prompts, median(ln(other.tokens / one.tokens)) AS ratio
        FROM driver_prompts AS one INNER JOIN driver_prompts AS other USING (request_id)
        WHERE one.model < other.model
        GROUP BY ALL
        HAVING prompts >= {LEAST_PAIRS} AND mad(ln(other.tokens / one.tokens)) <= {MOST_SPREAD}
        ORDER BY ALL
    """).fetchall()
    usual = connection.execute(
        f"SELECT response_model FROM attempts WHERE {in_span} AND response_model IS NOT NULL "
        "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    ).fetchall()
    connection.execute("CREATE OR REPLACE TEMP TABLE driver_tokenizers (model VARCHAR, factor DOUBLE)")
    for model, factor in sorted(ratios(pairs, usual[0][0]).items()) if usual else ():
        connection.execute("INSERT INTO driver_tokenizers VALUES (?, ?)", [model, factor])


def ratios(pairs: Iterable[Pair], usual: str) -> dict[str, float]:
    """Return the tokens that each model makes of one of `usual`'s, along the links with the most prompts."""
    links = sorted((pair for pair in pairs if abs(pair[3]) <= log(MOST_RATIO)), key=lambda pair: (-pair[2], pair))
    known = {usual: 0.0}
    while True:
        link = next((each for each in links if (each[0] in known) != (each[1] in known)), None)
        if link is None:
            return {model: exp(value) for model, value in known.items()}
        one, other, _, ratio = link
        if one in known:
            known[other] = known[one] + ratio
        else:
            known[one] = known[other] - ratio
