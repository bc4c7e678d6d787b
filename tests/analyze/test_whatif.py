"""The split run forward: each thing that can be set costs what the calls would cost that have it so."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
import spend
from spend import Call
from test_explain import NOW, ZONE, days

from infercost.analyze import whatif
from infercost.analyze.drivers import forward
from infercost.analyze.whatif import WhatIf, parse_wish, what_if
from infercost.config import Config
from infercost.errors import NoDataError, UsageError

NEAR = Decimal("1e-6")


class _Nowhere:
    store = None
    at_commit = None


def ask(calls: list[Call], *settings: str, where: tuple[str, ...] = (), no_retries: bool = False) -> WhatIf:
    """Ask of a store in memory; everything but the opening of a store is as in the command."""

    @contextmanager
    def opened(_: Any) -> Any:
        with spend.store(calls) as connection:
            yield connection

    nowhere: Any = _Nowhere()
    wish = parse_wish(settings, (), "stored", where, no_retries=no_retries)
    with patch.object(whatif, "connect", opened), patch.object(whatif, "Reading", lambda *_: None):
        return what_if(nowhere, Config(zone=ZONE), wish, since="7d", until="2026-11-15", now=NOW)


def cost(calls: list[Call]) -> Decimal:
    return sum((call.row()["effective_cost"] for call in calls if call.day >= 0), Decimal(0))


CALLS = [replace(call, cached=200, reasoning=40) for call in days(0, 7)]


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("cache_hit_rate=50%", lambda call: replace(call, cached=500)),
        ("cache_hit_rate=10%", lambda call: replace(call, cached=100)),
        ("cache_hit_rate=0", lambda call: replace(call, cached=0)),
        ("cache_hit_rate=+50%", lambda call: replace(call, cached=300)),
        ("output_length=+100%", lambda call: replace(call, output=200)),
        ("output_length=50", lambda call: replace(call, output=50)),
        ("reasoning=-50%", lambda call: replace(call, reasoning=20)),
        ("prompt_length=-50%", lambda call: replace(call, prompt=500, cached=100)),
        ("discount=20%", lambda call: replace(call, paid=Decimal("0.8"))),
    ],
)
def test_what_is_set_costs_what_such_calls_cost(setting: str, change: Callable[[Call], Call]) -> None:
    found = ask(CALLS, setting)
    assert found.whole.before == cost(CALLS)
    assert abs(found.whole.after - cost([change(call) for call in CALLS])) < NEAR


def test_a_cache_that_is_not_used_yet_is_priced_by_the_book() -> None:
    cold = [replace(call, cached=0) for call in CALLS]
    assert abs(ask(cold, "cache_hit_rate=60%").whole.after - cost([replace(call, cached=600) for call in CALLS])) < NEAR


def test_a_condition_limits_the_change() -> None:
    found = ask(CALLS, "cache_hit_rate=80%", where=("feature=search",))
    expected = [replace(call, cached=800) if call.feature == "search" else call for call in CALLS]
    assert abs(found.whole.after - cost(expected)) < NEAR
    assert {row.values for row in found.table.rows if row.after != row.before} == {("search",)}


def test_more_requests_and_more_answers_from_the_gateways_cache() -> None:
    assert abs(ask(CALLS, "volume=+10%").difference - cost(CALLS) / 10) < NEAR
    half = [replace(call, gateway_cache="exact") if call.hour < 12 else call for call in CALLS]
    assert abs(ask(half, "gateway_cache_rate=0").whole.after - 2 * cost(half)) < cost(half) / 10


def test_without_retries_every_request_is_answered_at_first() -> None:
    named = [replace(call, request=f"r{place}") for place, call in enumerate(CALLS)]
    # Every second request of a cell fails once; its repetition goes to a dearer model.
    failed = [replace(call, status="error") if place % 2 else call for place, call in enumerate(named)]
    again = [replace(call, number=call.number + 100, model="large") for place, call in enumerate(named) if place % 2]
    found = ask([*failed, *again], no_retries=True)
    assert abs(found.whole.after - cost(named)) < NEAR
    assert found.changes[0].before == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", [name for name in forward.SETTINGS if name != "retry_rate"])
def test_what_is_set_to_what_it_is_changes_nothing(name: str) -> None:
    assert ask(CALLS, f"{name}=+0%").difference == 0


def test_drivers_add_up_to_the_difference_and_to_the_month() -> None:
    found = ask(CALLS, "cache_hit_rate=50%", "output_length=-20%", "discount=10%", "volume=+5%")
    assert found.whole.before + sum(found.whole.effects.values()) == found.whole.after
    assert {name for name, effect in found.whole.effects.items() if effect} == {
        "prompt_cache",
        "output_length",
        "discount",
        "volume",
    }
    assert found.monthly(found.difference) == pytest.approx(found.difference * Decimal("30.4375") / 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("colour=3",), "not known"),
        (("cache_hit_rate",), "not understood"),
        (("cache_hit_rate=140%",), "not possible"),
        (("cache_hit_rate=much",), "not possible"),
        (("prompt_length=-120%",), "not possible"),
        (("prompt_length=50%",), "not possible"),
        (("retry_rate=5%",), "nothing to scale"),
        (("discount=1%", "discount=2%"), "set twice"),
        ((), "nothing is otherwise"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        ask(CALLS, *settings)
    assert caught.value.hint or message == "set twice"


def test_an_empty_window_is_told() -> None:
    with pytest.raises(NoDataError, match="no attempts between"):
        ask(days(-7, 0), "volume=+1%")
