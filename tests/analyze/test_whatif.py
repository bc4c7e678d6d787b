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
from infercost.render import whatif as draw

NEAR = Decimal("1e-6")


SETTINGS = Config(zone=ZONE)

Opened = Callable[[list[Call]], Any]


class _Nowhere:
    store = None
    at_commit = None
    restated = None


def by_book(calls: list[Call]) -> Any:
    return spend.book_store(calls, SETTINGS)


def ask(
    calls: list[Call],
    *settings: str,
    moves: tuple[str, ...] = (),
    prices: str = "stored",
    where: tuple[str, ...] = (),
    no_retries: bool = False,
    store: Opened = spend.store,
) -> WhatIf:
    """Ask of a store in memory; everything but the opening of a store is as in the command."""

    @contextmanager
    def opened(_: Any) -> Any:
        with store(calls) as connection:
            yield connection

    nowhere: Any = _Nowhere()
    wish = parse_wish(settings, moves, prices, where, no_retries=no_retries)
    with patch.object(whatif, "connect", opened), patch.object(whatif, "Reading", lambda *_: None):
        return what_if(nowhere, SETTINGS, wish, since="7d", until="2026-11-15", now=NOW)


def book_cost(calls: list[Call]) -> Decimal:
    """What a log costs by the pricing engine alone."""
    with by_book(calls) as connection:
        (found,) = connection.execute("SELECT sum(effective_cost) FROM attempts").fetchall()[0]
    return Decimal(found)


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


def test_retries_are_those_of_the_requests_that_a_condition_sends_somewhere() -> None:
    named = [replace(call, request=f"r{place}") for place, call in enumerate(CALLS)]
    failed = [replace(call, status="error") for call in named]
    again = [replace(call, number=call.number + 100, model="large") for call in named]
    some = [*named[::2], *failed[1::2], *again[1::2]]
    assert ask(some, no_retries=True, where=("model=small",)).difference == ask(some, no_retries=True).difference
    with pytest.raises(UsageError, match="no --where by outcome"):
        ask(some, no_retries=True, where=("outcome=wasted",))


def test_a_request_that_the_first_choice_never_answers_is_left_and_counted() -> None:
    failed = [replace(call, request=f"r{place}", status="error") for place, call in enumerate(CALLS)]
    again = [replace(call, status="ok", number=call.number + 100, model="large") for call in failed]
    found = ask([*failed, *again], no_retries=True)
    assert found.difference == 0
    assert any("never answers" in note and f"{2 * len(CALLS)}" in note for note in found.notes)


BOOK = [spend.of_book(call, ("gpt-5.5", "gpt-5.4-mini")[call.feature == "mail"]) for call in CALLS if call.day < 2]
"""Calls of two models of the installed price book, with batch prices."""


@pytest.mark.parametrize("name", forward.SETTINGS)
def test_what_is_set_to_what_it_is_changes_nothing(name: str) -> None:
    again = [replace(BOOK[0], request="r", status="error"), replace(BOOK[0], request="r", number=500)]
    found = ask([*BOOK, *again], f"{name}=+0%", store=by_book)
    assert found.difference == 0
    assert found.changes[0].before == found.changes[0].after
    # Without a sign, as far as the digits that a user can type go.
    typed = ask([*BOOK, *again], f"{name}={found.changes[0].before!r}", store=by_book)
    assert typed.difference == 0
    assert not any(typed.whole.effects.values())


def test_a_moved_model_costs_what_the_rewritten_log_costs() -> None:
    moved = [spend.of_book(call, "claude-haiku-4-5", "anthropic") if call.feature != "mail" else call for call in BOOK]
    expected = (book_cost(BOOK), book_cost(moved))
    for move in ("gpt-5.5=claude-haiku-4-5", "OpenAI/GPT-5.5=anthropic/claude-haiku-4-5"):
        found = ask(BOOK, moves=(move,), store=by_book)
        assert (found.whole.before, found.whole.after) == expected
        assert {name for name, effect in found.whole.effects.items() if effect} == {"routing"}
    assert any("tokenizer" in note for note in found.notes)


def test_a_move_keeps_to_its_part_and_several_are_made_at_once() -> None:
    searches = [spend.of_book(call, "gpt-5.4-mini") if call.feature == "search" else call for call in BOOK]
    assert ask(
        BOOK, moves=("gpt-5.5=gpt-5.4-mini",), where=("feature=search",), store=by_book
    ).whole.after == book_cost(searches)
    swapped = [spend.of_book(call, ("gpt-5.4-mini", "gpt-5.5")[call.feature == "mail"]) for call in BOOK]
    found = ask(BOOK, moves=("gpt-5.5=gpt-5.4-mini", "gpt-5.4-mini=gpt-5.5"), store=by_book)
    assert found.whole.after == book_cost(swapped)
    assert sum(change.effect for change in found.changes) == found.difference


def test_a_fallback_is_of_the_model_that_answered() -> None:
    asked = [replace(call, more={**call.more, "request_model": "gpt-5.4-nano"}) for call in BOOK]
    with pytest.raises(UsageError, match="no attempt of the window") as caught:
        ask(asked, moves=("gpt-5.4-nano=gpt-5.4-mini",), store=by_book)
    assert "gpt-5.5" in (caught.value.hint or "")


def test_an_unknown_model_is_refused_with_near_names() -> None:
    with pytest.raises(UsageError, match="no price is known") as caught:
        ask(BOOK, moves=("gpt-5.5=gpt-5.4-minnie",), store=by_book)
    assert "gpt-5.4-mini" in (caught.value.hint or "")


def test_todays_prices_change_nothing_that_was_priced_by_them() -> None:
    assert ask(BOOK, prices="latest", store=by_book).difference == 0


def test_other_prices_are_those_of_the_engine() -> None:
    dear = [replace(call, paid=Decimal(2), more={**call.more}) for call in BOOK]

    def doubled(calls: list[Call]) -> Any:
        connection = by_book(calls)
        costs = [f"{kind}_cost" for kind in ("input_uncached", "cache_read", "output_text", "reasoning", "effective")]
        connection.execute(f"UPDATE attempts SET {', '.join(f'{name} = 2 * {name}' for name in costs)}")
        return connection

    found = ask(dear, prices="latest", store=doubled)
    assert (found.whole.before, found.whole.after) == (2 * book_cost(BOOK), book_cost(BOOK))
    assert {name for name, effect in found.whole.effects.items() if effect} == {"discount"}


def in_batch(call: Call) -> Call:
    return replace(call, more={**call.more, "service_tier": "batch"})


def test_the_batch_lane_costs_what_calls_in_it_cost() -> None:
    batch = [in_batch(call) for call in BOOK]
    found = ask(BOOK, "batch_share=100%", store=by_book)
    assert found.changes[0].before == 0
    assert abs(found.whole.after - book_cost(batch)) < NEAR
    assert {name for name, effect in found.whole.effects.items() if effect} == {"service_tier"}
    half = [in_batch(call) if call.hour < 12 else call for call in BOOK]
    # A part of every leaf, whatever hours the calls of the batch lane are from: the tokens of all hours are alike.
    alike = [call for call in half if call.number != 30]
    for share, calls in (("100%", [in_batch(call) for call in alike]), ("0%", [c for c in BOOK if c.number != 30])):
        found = ask(alike, f"batch_share={share}", store=by_book)
        assert found.changes[0].before == pytest.approx(0.5)
        assert abs(found.whole.after - book_cost(calls)) < NEAR


def test_a_model_without_a_batch_price_is_left_and_named() -> None:
    found = ask([*BOOK, *(spend.of_book(call, "gpt-5.5-cyber") for call in BOOK)], "batch_share=1", store=by_book)
    assert any("No batch price" in note and "gpt-5.5-cyber" in note for note in found.notes)
    with pytest.raises(UsageError, match="no model here has a batch price"):
        ask(CALLS, "batch_share=50%")


def test_a_model_without_a_price_for_cached_tokens_is_left_and_named() -> None:
    def without(calls: list[Call]) -> Any:
        connection = spend.store([replace(call, cached=0) for call in calls])
        connection.execute("UPDATE prices SET cache_read_rate = NULL WHERE model = 'large'")
        return connection

    calls = [replace(call, model="large") if call.feature == "mail" else call for call in CALLS]
    found = ask(calls, "cache_hit_rate=50%", store=without)
    assert any("No price for cached tokens" in note and "large" in note for note in found.notes)
    assert {row.values for row in found.table.rows if row.after != row.before} == {("chat",), ("search",)}


def test_a_cache_that_reads_everything_can_read_less() -> None:
    full = [replace(call, cached=1000) for call in CALLS]
    assert abs(ask(full, "cache_hit_rate=60%").whole.after - cost([replace(call, cached=600) for call in full])) < NEAR


def test_one_request_and_one_token_can_be_scaled() -> None:
    assert ask([CALLS[0]], "volume=3").whole.after == 3 * cost([CALLS[0]])
    short = [replace(call, output=1) for call in CALLS]
    assert abs(ask(short, "output_length=2").whole.after - cost([replace(call, output=2) for call in CALLS])) < NEAR


def test_each_of_several_changes_has_its_own_effect() -> None:
    settings = ("cache_hit_rate=60%", "batch_share=50%", "output_length=-20%")
    found = ask(BOOK, *settings, moves=("gpt-5.5=gpt-5.4-mini",), prices="latest", store=by_book)
    single = [ask(BOOK, each, store=by_book).difference for each in settings]
    single += [ask(BOOK, moves=("gpt-5.5=gpt-5.4-mini",), store=by_book).difference, Decimal(0)]
    assert [change.effect for change in found.changes] == single
    assert found.whole.before + sum(found.whole.effects.values()) == found.whole.after
    assert sum(row.after - row.before for row in found.table.rows) == found.difference
    assert [change.name for change in found.changes[3:]] == ["move_model", "prices"]
    # Made together they save less than the sum of what each saves by itself.
    assert sum(single) < found.difference < 0


def test_settings_alone_are_told_as_if_asked_alone() -> None:
    settings = ("discount=10%", "cache_hit_rate=60%", "volume=+5%")
    found = ask(CALLS, *settings)
    assert [change.effect for change in found.changes] == [ask(CALLS, each).difference for each in settings]


def test_what_is_printed_adds_up_to_the_cent() -> None:
    found = ask(CALLS, "cache_hit_rate=53%", "output_length=-17%", "discount=7%", "volume=+3%")
    shown, (_, cents, months) = draw.rows(found), draw.total(found)
    assert sum(row[1] for row in shown) == cents == round(found.difference, 2)
    assert sum(row[2] for row in shown) == months == round(found.monthly(found.difference), 2)
    table = draw.features(found)
    for place, expected in ((1, found.whole.before), (2, found.whole.after)):
        assert sum(Decimal(row[place]) for row in table) == round(expected, 2)
    assert all(then - now == difference for _, now, then, difference in table)


def test_a_part_that_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(NoDataError, match="feature = nothing") as caught:
        ask(CALLS, "volume=+1%", where=("feature=nothing",))
    assert "chat" in (caught.value.hint or "")


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
        (("volume=+5",), "not possible"),
        (("volume=",), "not understood"),
        (("volume=inf",), "not possible"),
        (("gateway_cache_rate=+10%",), "not possible"),
        (("retry_rate=5%",), "nothing to scale"),
        (("discount=1%", "discount=2%"), "set twice"),
        ((), "nothing is otherwise"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        ask(CALLS, *settings)
    assert caught.value.hint


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="set twice") as caught:
        ask(CALLS, "retry_rate=0", no_retries=True)
    assert "--no-retries" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="--move-model with --set takes no --where by model"):
        ask(CALLS, "volume=+1%", moves=("small=large",), where=("model=small",))
    with pytest.raises(UsageError, match="take no --where by first_model or outcome or band"):
        ask(BOOK, moves=("gpt-5.5=gpt-5.4-mini",), where=("band=9",), store=by_book)


def test_an_empty_window_is_told() -> None:
    with pytest.raises(NoDataError, match="no attempts between"):
        ask(days(-7, 0), "volume=+1%")
