"""Declares the incidents: those of the generator's own list, those of the method's measurements, and held-out ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.analysis import Days, Segment
from scenarios.shared import Shared

STEP: tuple[Days, Days] = ((0, 28), (28, 35))
RAMP: tuple[Days, Days] = ((0, 14), (28, 35))

VOLUME = ("volume", "feature_mix")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "traffic": (*VOLUME, "cohort_mix"),
    "new_vanished": ("new_features", "vanished_features"),
    "gateway": ("gateway_cache",),
    "retry": ("retries",),
    "prompt_len": ("prompt_length",),
    "routing": ("routing",),
    "prompt_cache": ("prompt_cache",),
    "output_len": ("output_length", "reasoning"),
    "list_price": ("list_price",),
    "discount_tier": ("discount", "service_tier"),
}
"""Drivers by the names that the generator's incidents have for causes."""

WITH_COHORT: Mapping[str, tuple[str, ...]] = {**GROUPS, "traffic": VOLUME, "cohort": ("cohort_mix",)}
"""The same where a cohort is a cause: it is told from volume then."""


_MOVES = ("swap", "launch", "retire", "volume", "cohort_mix")
"""Effects that are of whatever used a model, or of the feature itself: there is no segment to find."""


@dataclass(frozen=True)
class Scenario:
    """An incident: its effects with the cause each is, and the windows (baseline, current) in days.

    `always` are effects that hold with and without the incident.
    """

    name: str
    causes: tuple[tuple[Any, str], ...]
    windows: tuple[Days, Days] = STEP
    always: tuple[Any, ...] = ()
    held_out: bool = False

    @property
    def effects(self) -> tuple[Any, ...]:
        """All effects of the incident."""
        return tuple(effect for effect, _ in self.causes)

    @property
    def names(self) -> tuple[str, ...]:
        """The cause of each effect."""
        return tuple(name for _, name in self.causes)

    def segment(self, place: int) -> Segment | None:
        """Return where the effect of a cause should be said to be; None where no segment is right or wrong."""
        effect, _ = self.causes[place]
        if effect.kind in _MOVES or (effect.kind == "batch_off" and effect.feats is None):
            return None
        found = {"feature": effect.feats, "model": (effect.model,) if effect.model else None}
        return {name: frozenset(values) for name, values in found.items() if values}

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The groups of drivers that the incident is judged by."""
        return WITH_COHORT if "cohort" in self.names else GROUPS

    @property
    def days(self) -> int:
        """Days to simulate."""
        return int(self.windows[1][1])


def scenarios(shared: Shared) -> list[Scenario]:
    """Return every scenario, in the order of the table."""
    return [*_listed(shared), *_measured(shared.traffic.Effect), *_held_out(shared.traffic.Effect)]


def _listed(shared: Shared) -> Iterator[Scenario]:
    for name, (causes, windows) in shared.incidents.SC.items():
        yield Scenario(
            name, tuple((effect, next(iter(true))) for effect, true in causes), (windows["base"], windows["cur"])
        )


def _measured(effect: Any) -> Iterator[Scenario]:
    two = ("chat_support", "code_assist")
    route, price = effect("route", 28, 0.6, two), effect("price", 28, 0.25, None, model="opus-x")
    yield Scenario("prompt x1.5, doc_summarize", ((effect("len_prop", 28, 1.5, ("doc_summarize",)), "prompt_len"),))
    yield Scenario("prompt-cache hit 90->10% of before, all", ((effect("pc_drop", 28, 0.889), "prompt_cache"),))
    yield Scenario("gateway cache hit halves, all", ((effect("gw_drop", 28, 0.5), "gateway"),))
    yield Scenario("retry 1->12%, gpt-mid", ((effect("retry", 28, 0.12, None, model="gpt-mid"), "retry"),))
    yield Scenario("discount of 15% expires, all", ((effect("discount", 28, 0.176), "discount_tier"),))
    yield Scenario("feature retired (translate)", ((effect("retire", 28, 1.0, ("translate",)), "new_vanished"),))
    yield Scenario(
        "cohort shift to enterprise, chat+rag",
        ((effect("cohort_mix", 28, 0.5, ("chat_support", "search_rag"), cohort="enterprise"), "cohort"),),
    )
    yield Scenario(
        "migration gpt-mid -> new atlas-9", ((effect("swap", 28, 1.0, None, model="gpt-mid>atlas-9"), "routing"),)
    )
    yield Scenario(
        "C opus price -30% + routing(2)",
        ((effect("price", 28, -0.3, None, model="opus-x"), "list_price"), (route, "routing")),
    )
    yield Scenario(
        "C volume +30% + prompt cache halves",
        ((effect("volume", 28, 0.3), "traffic"), (effect("pc_drop", 28, 0.5), "prompt_cache")),
    )
    yield Scenario(
        "C launch + routing(2)",
        ((effect("launch", 28, 1.0, ("agent_research",)), "new_vanished"), (route, "routing")),
    )
    yield Scenario(
        "C output x1.5 + volume +20% + cohort",
        (
            (effect("out", 28, 1.5), "output_len"),
            (effect("volume", 28, 0.2), "traffic"),
            (effect("cohort_mix", 28, 0.4, two, cohort="enterprise"), "cohort"),
        ),
    )
    yield Scenario("list price +25% opus-x", ((price, "list_price"),))


def _held_out(effect: Any) -> Iterator[Scenario]:
    agent = (effect("agent_on", 0, 1.0),)

    def one(
        name: str, kind: str, cause: str, day: float, size: float, feats: tuple[str, ...] | None = None, **more: Any
    ) -> Scenario:
        windows: tuple[Days, Days] = more.pop("windows", STEP)
        always = more.pop("always", ())
        return Scenario(name, ((effect(kind, day, size, feats, **more), cause),), windows, always, held_out=True)

    later: tuple[Days, Days] = ((7, 35), (35, 42))
    early: tuple[Days, Days] = ((0, 21), (23, 33))
    yield one(
        "routing 60->85% frontier, agent",
        "route",
        "routing",
        37,
        0.85,
        ("agent_research",),
        windows=later,
        always=agent,
    )
    yield one(
        "routing to frontier 35%, rag+email, day 23",
        "route",
        "routing",
        23,
        0.35,
        ("search_rag", "email_draft"),
        windows=early,
    )
    yield one("routing down to 5%, all", "route", "routing", 28, 0.05)
    yield one("prompt x0.6, code_assist", "len_prop", "prompt_len", 28, 0.6, ("code_assist",))
    yield one(
        "prompt p95 x3, doc, ramp 10d",
        "len_tail",
        "prompt_len",
        35,
        3.0,
        ("doc_summarize",),
        ramp=10,
        windows=((7, 35), (45, 52)),
    )
    yield one(
        "prompt cache off, agent+code",
        "pc_drop",
        "prompt_cache",
        28,
        1.0,
        ("agent_research", "code_assist"),
        always=agent,
    )
    yield one("gateway cache off, rag, day 30", "gw_drop", "gateway", 30, 1.0, ("search_rag",))
    yield one("retry 25%, opus-x, 2 days", "retry", "retry", 30, 0.25, None, model="opus-x", end=32)
    yield one("volume -40%, chat", "volume", "traffic", 28, -0.4, ("chat_support",))
    yield one("volume x2, translate", "volume", "traffic", 28, 1.0, ("translate",))
    yield one("list price -40% sonnet-x", "price", "list_price", 28, -0.4, None, model="sonnet-x")
    yield one("discount of 25% begins, code_assist", "discount", "discount_tier", 29.5, -0.25, ("code_assist",))
    yield one("feature retired (agent_research)", "retire", "new_vanished", 28, 1.0, ("agent_research",), always=agent)
    yield one("output x2, translate+email", "out", "output_len", 28, 2.0, ("translate", "email_draft"))
    yield one("reasoning x0.4, code_assist", "reason", "output_len", 28, 0.4, ("code_assist",))
    yield one("cohort shift to free, code_assist", "cohort_mix", "cohort", 28, 0.6, ("code_assist",), cohort="free")
    yield one("migration opus-x -> sonnet-x, half", "swap", "routing", 28, 0.5, None, model="opus-x>sonnet-x")
    yield one("migration mini-2 -> nano-1, from Thursday", "swap", "routing", 31, 1.0, None, model="mini-2>nano-1")
    yield Scenario(
        "C retry 8% + gateway off + volume -20%",
        (
            (effect("retry", 28, 0.08), "retry"),
            (effect("gw_drop", 28, 1.0), "gateway"),
            (effect("volume", 28, -0.2), "traffic"),
        ),
        held_out=True,
    )
    yield Scenario(
        "C reasoning x2 + discount -20% + prompt x1.3",
        (
            (effect("reason", 28, 2.0), "output_len"),
            (effect("discount", 28, -0.2, ("code_assist", "chat_support", "doc_summarize")), "discount_tier"),
            (effect("len_prop", 28, 1.3), "prompt_len"),
        ),
        held_out=True,
    )
    yield Scenario(
        "C swap sonnet->opus + batch off + cache drop",
        (
            (effect("swap", 28, 0.7, None, model="sonnet-x>opus-x"), "routing"),
            (effect("batch_off", 28, 1.0), "discount_tier"),
            (effect("pc_drop", 28, 0.4), "prompt_cache"),
        ),
        held_out=True,
    )
