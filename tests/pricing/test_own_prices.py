"""Prices of the user's own, from infercost.toml to the cost of an attempt."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infercost import config
from infercost.errors import ConfigError

GPT = {"provider_name": "openai", "price_model": "gpt-5.4"}
MILLION = {**GPT, "input_uncached_tokens": 1_000_000, "input_tokens": 1000}
"""A million tokens, in the lowest long-context tier."""
LIST = Decimal("2.5")
OWN = {"provider_name": "vllm", "price_model": "acme-8b", "input_uncached_tokens": 1_000_000}

Pricer = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def own(price: Pricer, tmp_path: Path) -> Pricer:
    """Price attempts with an infercost.toml of the given text, in a folder that may hold other files."""

    def priced(text: str, *attempts: dict[str, Any]) -> list[dict[str, Any]]:
        (tmp_path / "infercost.toml").write_text(text, encoding="utf-8")
        settings = config.load(tmp_path / "infercost.toml")
        return price(attempts, settings.price_overrides, settings.aliases)

    return priced


def costs(rows: list[dict[str, Any]]) -> list[Decimal | None]:
    return [row["effective_cost"] for row in rows]


def test_a_margin_comes_after_the_discount_and_leaves_the_list_price(own: Pricer) -> None:
    text = "[[prices.override]]\nprovider = 'openai'\nmodel = 'gpt-5.4'\ndiscount = 0.2\nmargin = 0.1\n"
    (row,) = own(text, MILLION)
    assert (row["list_cost"], row["effective_cost"]) == (LIST, LIST * Decimal("0.88"))
    assert row["price_id"] != row["list_price_id"]


def test_fees_apiece_are_paid_beside_tokens_and_without_any(own: Pricer) -> None:
    text = "[[prices.override]]\nmodel = 'painter'\nprovider = 'acme'\nrequest = 0.04\nweb_search = 0.005\n"
    acme = {"provider_name": "acme", "price_model": "painter"}
    plain, searching, tokens = own(text, acme, {**acme, "web_search_requests": 2}, {**acme, "input_uncached_tokens": 5})
    assert costs([plain, searching]) == [Decimal("0.04"), Decimal("0.05")]
    assert (plain["fee_cost"], plain["list_cost"], plain["price_basis"]) == (Decimal("0.04"), None, "override")
    # Its tokens have no price, so what it cost is not known.
    assert tokens["effective_cost"] is None


def test_a_fee_of_a_call_for_one_team_comes_on_top_of_its_tokens(own: Pricer) -> None:
    text = "[[prices.override]]\nprovider = 'openai'\nmodel = 'gpt-5.4'\nteam = 'analysts'\nrequest = 0.03\n"
    theirs, others = own(text, {**MILLION, "team": "analysts"}, {**MILLION, "team": "search"})
    assert costs([theirs, others]) == [LIST + Decimal("0.03"), LIST]
    assert (theirs["fee_cost"], theirs["list_cost"]) == (Decimal("0.03"), LIST)


def test_a_model_billed_apiece_costs_its_fee_whatever_its_tokens(own: Pricer) -> None:
    free = "input_uncached = 0\noutput_text = 0\n"
    text = f"[[prices.override]]\nmodel = 'painter-xl'\nprovider = 'acme'\nrequest = 0.04\n{free}"
    painted = {"provider_name": "acme", "price_model": "painter-xl", "input_uncached_tokens": 50}
    assert costs(own(text, {**painted, "output_image_tokens": 4_000})) == [Decimal("0.04")]


def test_a_price_of_one_team_and_key_leaves_the_others_alone(own: Pricer) -> None:
    text = """
[[prices.override]]
provider = "openai"
model = "gpt-5.4"
discount = 0.1

[[prices.override]]
provider = "openai"
model = "gpt-5.4"
input_uncached = 1.00
team = "search"

[[prices.override]]
provider = "openai"
model = "gpt-5.4"
discount = 0.5
key = "ci-*"
"""
    rows = own(
        text,
        MILLION,
        {**MILLION, "team": "search"},
        {**MILLION, "api_key_name": "ci-nightly"},
        {**MILLION, "team": "Search", "api_key_name": "ci-nightly"},
        {**MILLION, "team": "ads", "api_key_name": "prod"},
    )
    tenth_off = LIST * Decimal("0.9")
    assert costs(rows) == [tenth_off, 1, tenth_off / 2, Decimal("0.5"), tenth_off]
    assert {row["list_cost"] for row in rows} == {LIST}


def test_a_scope_prices_batches_one_after_the_other_alike(bench: Any, own: Pricer) -> None:
    text = "[[prices.override]]\nprovider = 'openai'\nmodel = 'gpt-5.4'\ndiscount = 0.5\nteam = 'search'\n"
    first = own(text, {**MILLION, "team": "search"})
    again = own(text, {**MILLION, "team": "search"}, MILLION)
    assert costs(first) == [LIST / 2]
    assert costs(again) == [LIST / 2, LIST]
    stored = bench.rows("SELECT DISTINCT scope FROM effective_prices WHERE scope IS NOT NULL")
    assert stored == [{"scope": "team=search"}]


def test_a_price_in_another_currency_follows_its_dated_rate(own: Pricer) -> None:
    text = """
[[prices.override]]
provider = "vllm"
model = "acme-8b"
input_uncached = 2.00
currency = "EUR"

[[prices.exchange]]
currency = "EUR"
usd = 1.10

[[prices.exchange]]
currency = "EUR"
from = 2026-10-01
usd = 1.25
"""
    rows = own(text, {**OWN, "started_at": "2026-09-30T23:59:59Z"}, {**OWN, "started_at": "2026-10-01T00:00:00Z"})
    assert costs(rows) == [Decimal("2.2"), Decimal("2.5")]


def test_the_files_of_the_central_bank_are_read_as_they_are(own: Pricer, tmp_path: Path) -> None:
    (tmp_path / "ecb.csv").write_text(
        "Date, USD, JPY, GBP, \n2026-10-02, 1.2, 180, 0.8, \n2026-10-01, 1.1, N/A, 0.88, \n", encoding="utf-8"
    )
    text = """
[prices]
exchange_files = ["ecb.csv"]

[[prices.override]]
provider = "vllm"
model = "acme-8b"
input_uncached = 2
currency = "GBP"
from = 2026-10-01
"""
    rows = own(text, *({**OWN, "started_at": f"2026-10-0{day}T12:00:00Z"} for day in (1, 2, 3)))
    assert costs(rows) == [Decimal("2.5"), 3, 3]


def test_a_currency_without_a_rate_at_its_beginning_is_an_error(own: Pricer) -> None:
    text = """
[[prices.override]]
model = "acme-8b"
input_uncached = 2
currency = "EUR"

[[prices.exchange]]
currency = "EUR"
from = 2026-10-01
usd = 1.1
"""
    with pytest.raises(ConfigError, match=r"no rate of EUR at its beginning \(since ever\)"):
        own(text, OWN)


def test_prices_come_from_csv_and_toml_files_too(own: Pricer, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text(
        "provider,model,from,to,input_uncached,discount,team\n"
        "vllm,acme-8b,2026-10-01,,0.25,,\n"
        "openai,gpt-5.4,,2026-12-01,,0.2,\n"
        "openai,gpt-5.4,,,,0.5,search\n",
        encoding="utf-8",
    )
    (tmp_path / "more.toml").write_text(
        "[[alias]]\nname = 'house-model'\nprovider = 'openai'\nmodel = 'gpt-5.4'\n", encoding="utf-8"
    )
    rows = own(
        "[prices]\nfiles = ['rates.csv', 'more.toml']\n",
        OWN,
        MILLION,
        {**MILLION, "team": "search"},
        {**MILLION, "provider_name": None, "price_model": "house-model"},
        {**OWN, "started_at": "2026-09-30T00:00:00Z"},
    )
    discounted = LIST * Decimal("0.8")
    assert costs(rows) == [Decimal("0.25"), discounted, discounted / 2, discounted, None]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("rates.csv", "model,input_uncached\nm,cheap\n", "rates.csv: line 2.input_uncached: 'cheap' is not a number"),
        ("rates.csv", "model,input_uncached\nm,-1\n", "rates.csv: line 2.input_uncached: must be a number of at least"),
        ("rates.csv", "model,from,discount\nm,soon,0.1\n", "rates.csv: line 2.from: 'soon' is not a date"),
        ("rates.csv", "model,price\nm,1\n", "rates.csv: line 2.price: not known; allowed: provider, model"),
        ("rates.csv", "model,from\nm,2026-10-01\n", "rates.csv: line 2: needs a discount"),
        ("rates.csv", "model,request\nm,1001\n", "has a fee above 1000"),
        ("more.toml", "override = 1\n", "more.toml: override: must be a list of tables"),
        ("more.toml", "[[budget]]\n", "more.toml: budget: not known; allowed: override, alias, pool"),
        ("more.toml", "x =\n", "more.toml: not valid TOML"),
        ("rates.csv", None, "prices.files: 'rates.csv' names no file"),
    ],
)
def test_a_price_file_is_an_error_that_names_its_line(
    own: Pricer, tmp_path: Path, name: str, text: str | None, problem: str
) -> None:
    listed = name
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        own(f"[prices]\nfiles = ['{listed}']\n", OWN)
    assert problem.split(": ", 1)[-1] in caught.value.message
    assert name in caught.value.message or "fee" in problem
