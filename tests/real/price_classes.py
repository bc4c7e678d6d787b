"""Says why our cost and LiteLLM's differ, by comparing the rates that both used, kind by kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase

from infercost import schema
from infercost.pricing.rows import PARENT, PriceRow, covers
from real.litellm_rates import Applied, Entry

RELATIVE = Decimal("1e-9")
_PICODOLLAR = Decimal("1e-12")
_PLACE = {kind: place for place, kind in enumerate(schema.TOKEN_KINDS)}

SETTLED = (
    # OpenAI lists no cached input for a pro model; of Azure's meters (August 2026), which have it for every other model
    # of the line, none is for gpt-5.4-pro's, none for gpt-5.5-pro at all. LiteLLM's azure/us/gpt-5.4-pro lacks it too.
    (
        "azure",
        "gpt-5.*-pro*",
        "cache_read",
        "no price list of OpenAI or Azure has cached input of a pro model",
    ),
    # From 2026-04-24 to their end on 2026-07-24 both names led to deepseek-v4-flash, at its price; a tenth for cached
    # input since 2026-04-26. LiteLLM has the price of V3.2, before that.
    (
        "deepseek",
        "deepseek-chat",
        "*",
        "LiteLLM has DeepSeek's price of before 2026-04-25, when its names moved to V4 Flash",
    ),
    (
        "deepseek",
        "deepseek-reasoner",
        "*",
        "LiteLLM has DeepSeek's price of before 2026-04-25, when its names moved to V4 Flash",
    ),
    # DeepSeek sold V3.2 as deepseek-chat for 0.28, 0.028 and 0.42, which LiteLLM's own entry of that name still says.
    ("deepseek", "deepseek-v3.2", "*", "LiteLLM's output of V3.2 is not that of its own deepseek-chat, which was V3.2"),
)
"""Rates that were looked into and left as they are: provider, model, kind (globs), and why ours is right."""

Found = tuple[str, str]
"""A class, and the two rates that show it."""


class Rows:
    """Our price rows by model and lane, without those of a region."""

    def __init__(self, rows: Iterable[PriceRow]) -> None:
        self._by_model: dict[tuple[str, str, str], list[PriceRow]] = {}
        self.by_id: dict[str, PriceRow] = {}
        for row in rows:
            self.by_id[row.price_id] = row
            if row.region is None:
                self._by_model.setdefault((row.provider, row.model, row.lane), []).append(row)

    def find(self, row: PriceRow, lane: str, at: int, input_tokens: int) -> PriceRow | None:
        """Return the row of the same model in a lane at another time or for another length."""
        for other in self._by_model.get((row.provider, row.model, lane), ()):
            long_enough = other.input_from <= input_tokens
            if covers(other, at) and long_enough and (other.input_to is None or input_tokens < other.input_to):
                return other
        return None


@dataclass(frozen=True)
class Pair:
    """One attempt as both books price it: our row, LiteLLM's entry, and the times of both."""

    row: PriceRow
    entry: Entry
    rows: Rows
    at: int
    today: int

    def ours(self, kind: str, row: PriceRow | None = None) -> Decimal | None:
        rate = (row or self.row).rates[_PLACE[kind]]
        return None if rate is None else rate * _PICODOLLAR

    def differs(self, kind: str) -> bool:
        return not _same(self.ours(kind), self.entry.applied(kind).rate)

    def reason(self, kind: str) -> str | None:
        """Return why the rates of a kind differ, or None where no rule knows."""
        theirs, ours = self.entry.applied(kind), self.ours(kind)
        if ours is None:
            return None
        if abs(ours - theirs.rate) <= _PICODOLLAR / 2:
            return "infercost holds rates in whole picodollars"
        if (parent := PARENT.get(kind)) and self._both_take(parent, ours, theirs):
            return self.reason(parent)
        return self._lane(kind, theirs) or self._time_or_tier(kind, ours, theirs) or self._kind(kind, ours, theirs)

    def _both_take(self, parent: str, ours: Decimal, theirs: Applied) -> bool:
        of_parent = self.entry.applied(parent).rate
        return theirs.key is None and _same(self.ours(parent), ours) and _same(of_parent, theirs.rate)

    def _lane(self, kind: str, theirs: Applied) -> str | None:
        """Return what a lane has to do with it; where the standard rates differ already, why those do."""
        usual = self._usual()
        if usual is None or (self.row.lane != "standard" and _same(self.ours(kind), usual.ours(kind))):
            return None
        if usual.differs(kind):
            return usual.reason(kind)
        asked, has_lane = self.entry.lane, self.entry.has_lane()
        if self.row.lane == "standard":
            return self._lane_of_theirs()
        if not has_lane:
            return "batch not known to LiteLLM, which halves" if asked == "batch" else "lane not known to LiteLLM"
        if theirs.key is None or (self.entry.suffix and not theirs.key.endswith(self.entry.suffix)):
            return "LiteLLM has the lane, but no rate of this kind and tier in it"
        return None

    def _lane_of_theirs(self) -> str | None:
        """Return why LiteLLM has a rate of the lane where our book has the standard one."""
        entry = self.entry
        if entry.lane == "batch" and not entry.has_lane():
            return "batch in neither book: LiteLLM halves, infercost says that it is the standard price"
        if entry.lane == "fast" and entry.provider != "anthropic":
            return "LiteLLM bills fast as priority"
        return "lane not known to infercost" if entry.has_lane() else None

    def _usual(self) -> "Pair | None":
        """Return the attempt as if it had been made in the standard lane."""
        if self.entry.lane == "standard":
            return None
        row = self.rows.find(self.row, "standard", self.at, self.entry.input_tokens)
        return replace(self, row=row, entry=replace(self.entry, lane="standard")) if row else None

    def _time_or_tier(self, kind: str, ours: Decimal, theirs: Applied) -> str | None:
        now = self.rows.find(self.row, self.row.lane, self.today, self.entry.input_tokens)
        if now is not None and self.at < self.today and not _same(self.ours(kind, now), ours):
            return "price changed over time: LiteLLM has today's only"
        short = replace(self.entry, input_tokens=0)
        is_tier = theirs.key is not None and "k_tokens" in theirs.key
        if self.row.input_from and not is_tier:
            base = self.rows.find(self.row, self.row.lane, self.at, 0)
            if base is not None and _same(self.ours(kind, base), theirs.rate):
                if self.entry.provider == "perplexity" and self.entry.crossed():
                    return "Perplexity's own function ignores long context"
                usual = self._usual()
                if usual and "k_tokens" in (usual.entry.applied(kind).key or ""):
                    return "LiteLLM's code drops the long-context tier of a long cache write in a lane"
                return "long-context tier in infercost's book only"
        if is_tier and not self.row.input_from and _same(short.applied(kind).rate, ours):
            return "long-context tier in LiteLLM's book only"
        return None

    def _kind(self, kind: str, ours: Decimal, theirs: Applied) -> str | None:
        row = self.row
        for provider, model, about, why in SETTLED:
            if row.provider == provider and fnmatchcase(row.model, model) and fnmatchcase(kind, about):
                return why
        if theirs.key is None:
            return self._taken(kind)
        if kind in PARENT and _same(ours, self.ours(PARENT[kind])):
            return f"{_group(kind)} priced in LiteLLM's book only"
        if self.row.basis != "book":
            return f"rates differ in the books (ours is {self.row.basis})"
        return "rates differ in the books"

    def _taken(self, kind: str) -> str | None:
        """Return why LiteLLM has another kind's rate where we have one of the kind's own."""
        provider = self.entry.provider
        if provider == "fireworks_ai" and kind == "cache_read":
            return "cached read of Fireworks is half of input by LiteLLM's code"
        if provider == "perplexity":
            return "Perplexity's own function knows input, cached read, output and reasoning only"
        if provider == "xai" and kind in ("reasoning", "output_audio"):
            return "xAI's own function bills all output alike"
        if kind in ("cache_write_30m", "cache_write_1h", "cache_write_12h"):
            return "cache write by TTL not told apart in LiteLLM's book"
        return f"{_group(kind)} priced in infercost's book only" if kind in PARENT else None


def classify(pair: Pair, tokens: Mapping[str, int]) -> Found | None:
    """Return the class of the kind that most of the difference comes from, None where one kind has no class."""
    shares: list[tuple[Decimal, str, str]] = []
    if fee := pair.row.fees[schema.FEES.index("request")]:
        shares.append((fee * _PICODOLLAR, "fee per request in infercost's book only", f"fee {fee * _PICODOLLAR:f} / 0"))
    for kind, count in tokens.items():
        if not count or not pair.differs(kind):
            continue
        reason, ours = pair.reason(kind), pair.ours(kind)
        if reason is None or ours is None:
            return None
        theirs = pair.entry.applied(kind)
        rates = f"{kind} {ours * 10**6:f} / {theirs.rate * 10**6:f}"
        shares.append((abs(ours - theirs.rate) * count, reason, rates))
    return max(shares)[1:] if shares else None


def _group(kind: str) -> str:
    return "cache write" if kind.startswith("cache_write") else kind.replace("_", " ")


def _same(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= RELATIVE * max(one, other)
