"""Tells text added to prompts from a cache that reads less: both lower the share of prompt tokens read from the cache.

Among the attempts that did read from the cache, text added after the cached part leaves as many cached tokens in longer
prompts; text added before its end makes more of them. Whatever lies between these two is explained by the text alone,
and belongs to prompt length. A change beyond them, and of how many attempts read at all, is the cache's.
"""

from typing import TYPE_CHECKING

from infercost.analyze.drivers import factors

if TYPE_CHECKING:
    import duckdb

SUMS: tuple[str, ...] = ("cached_calls", "cached_prompts")
"""Counted attempts that read from the prompt cache, and the tokens of their prompts."""

_UNCACHED = "input_uncached"
_READ = "cache_read"


def create(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Create `driver_dilution`: by how much text alone changed the cached and the uncached share of prompts.

    `driver_by_way` has the sums by `keys`; a way without a row there has the same shares as before.
    """
    prompt = [kind for kind in kinds if kind in factors.PROMPT_KINDS]
    cached = [kind for kind in prompt if kind != _UNCACHED]
    if _READ not in kinds:
        rows = f"SELECT {', '.join(keys)}, 1e0 AS cached, 1e0 AS uncached FROM driver_by_way WHERE FALSE"
    else:
        rows = f"""
            WITH measured AS (
                SELECT {", ".join(keys)}, {", ".join(_measures(prompt, cached, side) for side in (0, 1))}
                FROM driver_by_way
                WHERE cached_calls_way_0 > 0 AND cached_calls_way_1 > 0
            ),
            changed AS (
                SELECT *,
                    CASE
                        WHEN length_1 >= length_0 THEN {_nearest("read_1", "read_0", "length_0 / length_1")} / read_0
                        ELSE read_1 / {_nearest("read_0", "read_1", "length_1 / length_0")}
                    END AS cached
                FROM measured
            ),
            -- The same from both ends of the way, so that turning time round turns it round.
            rest AS (
                SELECT *,
                    CASE WHEN share_0 < 1 AND share_0 * cached < 1 THEN (1 - share_0 * cached) / (1 - share_0) END
                        AS from_before,
                    CASE WHEN share_1 < 1 AND share_1 / cached < 1 THEN (1 - share_1) / (1 - share_1 / cached) END
                        AS from_after
                FROM changed
            )
            SELECT {", ".join(keys)}, cached,
                sqrt(coalesce(from_before, from_after, 1) * coalesce(from_after, from_before, 1)) AS uncached
            FROM rest"""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE driver_dilution AS {rows}")


def columns(kinds: tuple[str, ...]) -> str:
    """Return the ratios that factors name, as columns of leaves; a leaf of one window only has no change."""
    found = []
    for kind in kinds:
        if kind in factors.PROMPT_KINDS:
            change = f"driver_dilution.{'uncached' if kind == _UNCACHED else 'cached'}"
            value = f"CASE WHEN prompt_units_0 > 0 AND prompt_units_1 > 0 THEN coalesce({change}, 1) ELSE 1e0 END"
            found += [f"1e0 AS diluted_{kind}_0", f"{value} AS diluted_{kind}_1"]
            found += [f"1e0 AS undiluted_{kind}_0", f"1 / diluted_{kind}_1 AS undiluted_{kind}_1"]
    return ", ".join(found) or "1e0 AS undiluted"


def _measures(prompt: list[str], cached: list[str], side: int) -> str:
    """Return what one window has: length of the prompts that read, what they read of it, and the whole cached share."""
    tokens = " + ".join(f"units_{kind}_way_{side}" for kind in prompt)
    held = " + ".join(f"units_{kind}_way_{side}" for kind in cached)
    prompts = f"cached_prompts_way_{side}"
    return (
        f"{prompts} / cached_calls_way_{side} AS length_{side}, "
        f"least(units_{_READ}_way_{side} / {prompts}, 1) AS read_{side}, ({held}) / ({tokens}) AS share_{side}"
    )


def _nearest(wanted: str, read: str, shorter: str) -> str:
    """Return the part read of longer prompts that is nearest to `wanted` of those that added text can make of `read`.

    `shorter` is the old length by the new one. All text is added behind the cached part, or all of it is cached.
    """
    return f"greatest({read} * {shorter}, least({wanted}, 1 - (1 - {read}) * {shorter}))"
