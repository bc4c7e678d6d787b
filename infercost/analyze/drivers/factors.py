"""The declared list of what spend is made of: each driver is an entry here, the SQL is generated from it.

Spend is a sum over leaves of a product of factors, each the ratio of two sums of one window (the structure S5: routing
by the first attempt of a request, bands of prompt length inside a cell, the input side weighted by tokens and the
output side by attempts). The ratios telescope to the cost of the leaf, whatever the data.
"""

from dataclasses import dataclass

from infercost import schema

CELL: tuple[str, ...] = ("feature", "cohort", "team")
"""Who spends: the dimensions of a business cell."""

FIRST: tuple[str, ...] = ("first_route", "first_endpoint", "first_provider", "first_model")
"""Where the router sent the first attempt of a request."""

BILLED: tuple[str, ...] = ("outcome", "route", "endpoint", "provider_name", "model", "model_tier", "is_pool")
"""What an attempt turned out to be: its outcome, where it went, and what it is billed as."""

OUTCOMES: tuple[str, ...] = ("first_try", "later_try", "wasted")
"""Outcome of an attempt: answered at first, answered after a retry or fallback, or failed."""

DIMENSIONS: tuple[str, ...] = (
    *CELL,
    "route",
    "model",
    "model_tier",
    "provider_name",
    "endpoint",
    "first_model",
    "outcome",
    "band",
)
"""Dimensions of the leaves that a split can be grouped and filtered by."""

DERIVED: tuple[str, ...] = ("first_model", "outcome", "band")
"""Those of DIMENSIONS that an attempt by itself has no column for."""

SESSION = "session_class"
"""The dimension of how many requests the session of a request has; in tables only, like TIMES."""

SESSION_CLASSES: tuple[tuple[int, str], ...] = ((1, "1 request"), (4, "2 to 4 requests"), (19, "5 to 19 requests"))
"""Most requests of a session in a window, and what its class is called."""

LONG_SESSION = "20 requests or more"
NO_SESSION = "no session"

TIMES: tuple[str, ...] = ("day", "hour")
"""What a split can be shown by, alone, beside DIMENSIONS and SESSION."""

PROMPT_KINDS: tuple[str, ...] = tuple(kind for kind in schema.INPUT_KINDS if kind not in ("input_audio", "input_image"))
"""Token kinds that make up a prompt's length; the others are counted by attempt."""

ONE = "one"
"""The denominator of what is no ratio."""

FEE = "fee"
"""The kind of what is billed by the piece, beside the token kinds."""

KINDS: tuple[str, ...] = (*schema.TOKEN_KINDS, FEE)


@dataclass(frozen=True)
class Driver:
    """One line of the bridge: its name, its title, and what it is made of in words."""

    name: str
    title: str
    what: str


@dataclass(frozen=True)
class Ratio:
    """Two sums of split.SUMS, one by the other; `_kind` in a name stands for a token kind.

    A window in which `bottom` is 0, or any of `also`, has the ratio of the other window: nothing is known of it there.
    What is no sum of hours has its change at the hours at which the ratio `like` has its own.
    """

    top: str
    bottom: str
    also: tuple[str, ...] = ()
    like: "Ratio | None" = None

    def of(self, kind: str) -> "Ratio":
        """Return the ratio of one kind."""
        top, bottom, *also = (name.replace("_kind", f"_{kind}") for name in (self.top, self.bottom, *self.also))
        return Ratio(top, bottom, tuple(also), self.like and self.like.of(kind))


@dataclass(frozen=True)
class Factor:
    """One factor of a leaf: the driver that its change is booked to, and the ratios (at most 3) whose product it is.

    `driver` maps leaf classes to drivers where they differ.
    """

    driver: str | dict[str, str]
    ratios: tuple[Ratio, ...]

    def of(self, leaf: str) -> str:
        """Return the driver for a class of leaves."""
        return self.driver if isinstance(self.driver, str) else self.driver[leaf]


DRIVERS: tuple[Driver, ...] = (
    Driver(
        "calendar",
        "Calendar",
        "windows of other lengths and weekdays: what the baseline would have cost in these hours",
    ),
    Driver("volume", "Request volume", "requests of features that were there before and still are"),
    Driver("feature_mix", "Feature mix", "share of each feature in the requests"),
    Driver("cohort_mix", "Cohort mix", "share of each cohort and team in the requests of a feature"),
    Driver("new_features", "New features", "features that had no request in the baseline"),
    Driver("vanished_features", "Vanished features", "features that have no request any more"),
    Driver("gateway_cache", "Gateway cache", "share of requests that the gateway's own cache answers"),
    Driver("retries", "Retries and failures", "attempts that failed, were repeated or fell back, for one request"),
    Driver("prompt_length", "Prompt length", "prompt tokens of a request"),
    Driver("unpriced", "Unpriced traffic", "traffic whose price is unknown, so that it is in no amount"),
    Driver("routing", "Routing", "route, provider and model that the first attempt of a request goes to"),
    Driver("prompt_cache", "Prompt cache", "share of prompt tokens that the provider's cache reads or writes"),
    Driver("output_length", "Output length", "visible output tokens of an attempt"),
    Driver("reasoning", "Reasoning", "reasoning tokens of an attempt"),
    Driver("audio_image", "Audio and images", "audio and image tokens of an attempt"),
    Driver("tool_fees", "Fees by the piece", "web searches and other fees of an attempt"),
    Driver(
        "service_tier",
        "Service tier",
        "batch, flex, priority, long-context and regional prices beside the standard one",
    ),
    Driver("list_price", "List price", "standard rates of the price book"),
    Driver("discount", "Discount", "own prices and discounts against the list"),
    Driver("capacity", "Own capacity", "what a token costs on pools that are paid by the hour"),
    Driver(
        "shifts",
        "Shifts",
        "in tables by session class, hour or day: shares of the rows in otherwise equal traffic; they add up to 0",
    ),
)
"""Every driver, in the order of the bridge."""

NAMES: tuple[str, ...] = tuple(driver.name for driver in DRIVERS)

SHIFTS = "shifts"
"""The driver that has effects in some tables only, which add up to nothing."""

OUTSIDE: tuple[str, ...] = ("calendar", "new_features", "vanished_features", SHIFTS)
"""Drivers that are no factors of a leaf."""

PER_ATTEMPT: dict[str, str] = {
    "output_text": "output_length",
    "reasoning": "reasoning",
    "input_audio": "audio_image",
    "input_image": "audio_image",
    "output_audio": "audio_image",
    "output_image": "audio_image",
    FEE: "tool_fees",
}
"""Driver of what an attempt has of each kind that is counted by attempt."""

_WHO: tuple[Factor, ...] = (
    Factor("volume", (Ratio("requests_all", ONE),)),
    Factor("feature_mix", (Ratio("requests_feature", "requests_all"),)),
    Factor("cohort_mix", (Ratio("requests_cell", "requests_feature"),)),
    Factor("gateway_cache", (Ratio("dispatched_cell", "requests_cell"),)),
)

_PRICE: tuple[Factor, ...] = (
    Factor("list_price", (Ratio("base_kind", "units_kind"),)),
    Factor("service_tier", (Ratio("list_kind", "base_kind"),)),
    Factor("discount", (Ratio("cost_kind", "list_kind"),)),
)

_CACHED_LENGTH = Ratio("cached_prompts_way", "cached_calls_way")
"""Length of the prompts that are read from the cache: only where it changed is anything diluted, and by no more."""

PROMPT_CHAIN: tuple[Factor, ...] = (
    *_WHO,
    Factor("retries", (Ratio("answered_cell", "dispatched_cell"), Ratio("tokens_leaf", "tokens_first"))),
    Factor("prompt_length", (Ratio("tokens_band", "answered_cell"), Ratio("diluted_kind", ONE, like=_CACHED_LENGTH))),
    Factor("unpriced", (Ratio("priced_tokens_band", "tokens_band"),)),
    Factor("routing", (Ratio("tokens_first", "priced_tokens_band"),)),
    Factor("prompt_cache", (Ratio("units_kind", "tokens_leaf"), Ratio("undiluted_kind", ONE, like=_CACHED_LENGTH))),
    *_PRICE,
)
"""Factors of what a prompt costs, by tokens."""

_BESIDE_OTHERS: tuple[Ratio, ...] = (
    Ratio("units_kind", "attempts_leaf", also=("units_kind_way",)),
    Ratio("attempts_way", "units_kind_way", also=("attempts_leaf",)),
)
"""How long the answers to prompts of one band are beside those to all prompts that went the same way.

It belongs to the prompts: where all of them grow by half and are answered as before, each band has the answers of
shorter prompts, and neither answers nor what they cost became any less.
"""

ATTEMPT_CHAIN: tuple[Factor, ...] = (
    *_WHO,
    Factor("retries", (Ratio("answered_cell", "dispatched_cell"), Ratio("attempts_leaf", "calls_first"))),
    Factor("prompt_length", (Ratio("calls_band", "answered_cell"), *_BESIDE_OTHERS)),
    Factor("unpriced", (Ratio("priced_calls_band", "calls_band"),)),
    Factor("routing", (Ratio("calls_first", "priced_calls_band"),)),
    Factor(PER_ATTEMPT, (Ratio("units_kind_way", "attempts_way"),)),
    *_PRICE,
)
"""Factors of what an answer costs (and of whatever else is counted by attempt)."""

POOL_PRICE = {"list_price": "", "service_tier": "", "discount": "capacity"}
"""A pool has no rate: what its tokens cost follows from how much it is used, which is one driver there."""


def chain(kind: str) -> tuple[Factor, ...]:
    """Return the factors of a token kind's leaves."""
    return PROMPT_CHAIN if kind in PROMPT_KINDS else ATTEMPT_CHAIN


def place(driver: str, kind: str) -> int:
    """Return where a driver is in the chain of a kind, 1 for the first; 0 when it is not in it."""
    for number, factor in enumerate(chain(kind), start=1):
        if factor.of(kind) == driver:
            return number
    return 0
