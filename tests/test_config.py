"""infercost.toml: what may be said in it, and what an error says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from infercost import config
from infercost.analyze.drivers import factors
from infercost.config import Alias, Budget, Config
from infercost.config.limits import MEASURES
from infercost.errors import ConfigError, ExitCode


def loaded(folder: Path, text: str) -> Config:
    path = folder / "infercost.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def test_no_file_is_all_defaults(tmp_path: Path) -> None:
    assert config.load(folder=tmp_path) == Config()


def test_file_in_the_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "infercost.toml").write_text('[time]\nzone = "Europe/Berlin"\n', encoding="utf-8")
    assert config.load(folder=tmp_path).zone == "Europe/Berlin"


def test_store_lies_relative_to_the_file(tmp_path: Path) -> None:
    assert loaded(tmp_path, '[store]\npath = "data/store"\n').store == tmp_path / "data/store"
    assert loaded(tmp_path, '[store]\npath = "/data/store"\n').store == Path("/data/store")


OVERRIDE = "[[prices.override]]\nmodel = 'm'\n"
BUDGET = "[[budgets]]\nname = 'b'\n"
RULE = "[[attribution.rules]]\n"
LEAST = "must be a whole number of at least 33554432"


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("[stroe]\n", "stroe", "not known; allowed: store, time, attribution, model_tiers, prices, budgets"),
        ("store = 1\n", "store", "must be a table"),
        ("[store]\nfolder = 'x'\n", "store.folder", "not known; allowed: path"),
        ("[store]\npath = 1\n", "store.path", "must be text"),
        ("[time]\nzone = 'Mars/Olympus'\n", "time.zone", "'Mars/Olympus' is not an IANA zone"),
        ("[time]\nzone = '../etc'\n", "time.zone", "'../etc' is not an IANA zone"),
        ("[time]\nzone = 2\n", "time.zone", "must be text"),
        ("[privacy]\nhash_ids = 'no'\n", "privacy.hash_ids", "must be true or false"),
        ("[privacy]\nhash = true\n", "privacy.hash", "not known; allowed: hash_ids"),
        ("[ingest]\nmax_record_bytes = 0\n", "ingest.max_record_bytes", LEAST),
        ("[ingest]\nmax_record_bytes = true\n", "ingest.max_record_bytes", LEAST),
        ("[ingest]\nmax_record_bytes = 1e9\n", "ingest.max_record_bytes", LEAST),
        ("[attribution]\nrule = []\n", "attribution.rule", "not known; allowed: rules"),
        ("[attribution]\nrules = 1\n", "attribution.rules", "must be a list of tables"),
        (RULE, "attribution.rules", "each rule needs `set"),
        (RULE + "set = {}\n", "attribution.rules", "each rule needs `set"),
        (RULE + "if = 1\nset = { feature = 'x' }\n", "attribution.rules.if", "not known; allowed: when, set"),
        (RULE + "set = { feture = 'x' }\n", "attribution.rules.set.feture", "not known; allowed: feature, cohort"),
        (RULE + "set = { feature = 1 }\n", "attribution.rules.set.feature", "must be text"),
        (RULE + "set = { feature = '' }\n", "attribution.rules.set.feature", "must be text"),
        (RULE + "when = { kye = 'x' }\nset = { feature = 'x' }\n", "attribution.rules.when.kye", "not known; allowed"),
        (RULE + "when = { 'tags.' = 'x' }\nset = { feature = 'x' }\n", "attribution.rules.when.tags.", "not known"),
        (RULE + "when = { key = 1 }\nset = { feature = 'x' }\n", "attribution.rules.when.key", "must be text or"),
        (RULE + "when = { key = [] }\nset = { feature = 'x' }\n", "attribution.rules.when.key", "must be text or"),
        ("model_tiers = 1\n", "model_tiers", "must be a table"),
        ("[model_tiers]\nsmall = 'x'\n", "model_tiers.small", "must be a list of model names"),
        ("[model_tiers]\nsmall = [1]\n", "model_tiers.small", "must be a list of model names"),
        ("[prices]\noverrides = []\n", "prices.overrides", "not known; allowed: override, alias"),
        ("[prices]\noverride = { model = 'm' }\n", "prices.override", "must be a list of tables"),
        (BUDGET + "amount = 1\nperiod = '0d'\n", "budgets.period", "'0d' is not one of day, week, month"),
        (BUDGET + "amount = 1\nperiod = '14d'\n", "budgets.starts", "goes with a period of days"),
        (BUDGET + "amount = 1\nstarts = 2026-11-01\n", "budgets.starts", "goes with a period of days"),
        (BUDGET + "amount = 1\nperiod = '3d'\nstarts = '2026-11-01'\n", "budgets.starts", "must be a date"),
        (BUDGET + "amount = 1\nunit = 'eur'\n", "budgets.unit", "'eur' is not one of usd, tokens"),
        (BUDGET + "amount = 1\nsoft = 'most'\n", "budgets.soft", "'most' is not a number"),
        (
            BUDGET + "amount = 1\nperiod = 'session'\nwhere = { team = 'x' }\n",
            "budgets.where.team",
            "not known; allowed: feature,",
        ),
        (2 * (BUDGET + "amount = 1\n"), "budgets.name", "'b' is the name of two budgets"),
        ("[check]\nlimit = []\n", "check.limit", "not known; allowed: limits, signals, by"),
        ("[check]\nby = ['colour']\n", "check.by", "'colour' is no dimension"),
        ("[check]\nmax_age_hours = 0\n", "check.max_age_hours", "must be a whole number of at least 1"),
        ("[[check.webhooks]]\nurl = 'ftp://x'\n", "check.webhooks.url", "must begin with https:// or http://"),
        (
            "[[check.webhooks]]\nurl = 'http://x'\nform = 'teams'\n",
            "check.webhooks.form",
            "'teams' is not one of slack",
        ),
        (OVERRIDE, "prices.override", "needs a discount, a margin or at least one of input_uncached"),
        ("[[prices.override]]\ndiscount = 0.1\n", "prices.override.model", "is required"),
        (OVERRIDE + "provider = 5\ndiscount = 0.1\n", "prices.override.provider", "must be text"),
        (OVERRIDE + "input = 1\n", "prices.override.input", "not known; allowed"),
        (OVERRIDE + "output_text = -1\n", "prices.override.output_text", "must be a number of at least 0"),
        (OVERRIDE + "output_text = 'x'\n", "prices.override.output_text", "'x' is not a number"),
        (OVERRIDE + "output_text = nan\n", "prices.override.output_text", "must be a number of at least 0"),
        (OVERRIDE + "output_text = inf\n", "prices.override.output_text", "must be a number of at least 0"),
        (OVERRIDE + "output_text = true\n", "prices.override.output_text", "must be a number"),
        (OVERRIDE + "discount = 20\n", "prices.override.discount", "is a share"),
        (OVERRIDE + "discount = 0.1\nfrom = '2026-01-01'\n", "prices.override.from", "must be a date"),
        (OVERRIDE + "discount = 0.1\nfrom = 2026-02-01\nto = 2026-01-01\n", "prices.override.to", "must be after from"),
        ("[[prices.alias]]\nname = 'n'\nmodel = 'm'\n", "prices.alias.provider", "is required"),
        ("[[prices.alias]]\nname = 'n'\nmodle = 'm'\n", "prices.alias.modle", "not known; allowed"),
        ("[budgets]\nname = 'b'\n", "budgets", "must be a list of tables"),
        (BUDGET, "budgets.amount", "is required"),
        (BUDGET + "amount = []\n", "budgets.amount", "must be a number"),
        ("[[budgets]]\namount = 5\n", "budgets.name", "is required"),
        (BUDGET + "amount = 5\nperiod = 'year'\n", "budgets.period", "'year' is not one of day, week, month"),
        (BUDGET + "amount = 5\nperiod = ['day']\n", "budgets.period", "['day'] is not one of day, week, month"),
        (BUDGET + "amount = 5\nwhere = 'x'\n", "budgets.where", "must be a table"),
        (BUDGET + "amount = 5\nwhere = { color = 'x' }\n", "budgets.where.color", "not known; allowed"),
        (BUDGET + "amount = 5\nlimit = 1\n", "budgets.limit", "not known; allowed"),
    ],
)
def test_error_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, key: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path / 'infercost.toml'}: {key}: {problem}")
    assert caught.value.hint is not None
    assert caught.value.exit_code == ExitCode.BAD_USAGE


@pytest.mark.parametrize(("content", "problem"), [(b"[store\n", "not valid TOML"), (b"\xff\xfe", "not valid TOML")])
def test_file_that_is_no_toml(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "infercost.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        config.load(path)


def test_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"other\.toml: No such file or directory"):
        config.load(tmp_path / "other.toml")


def test_price_override(tmp_path: Path) -> None:
    text = """
    [[prices.override]]
    provider = "openai"
    model = "gpt-5.4"
    from = 2026-10-01
    to = 2026-11-01T12:00:00+02:00
    input_uncached = 0.1
    cache_read = "0.025"
    output_text = 12
    discount = 0.15
    """
    (found,) = loaded(tmp_path, text).price_overrides
    assert (found.provider, found.model) == ("openai", "gpt-5.4")
    assert found.effective_from == datetime(2026, 10, 1, tzinfo=UTC)
    assert found.effective_to == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert found.rates == {
        "input_uncached": Decimal("0.1"),
        "cache_read": Decimal("0.025"),
        "output_text": Decimal(12),
    }
    assert found.discount == Decimal("0.15")


@pytest.mark.parametrize("written", ["0.1", "0.3", "1e-7", "2.675", "1234567.89", "0.000001"])
def test_amounts_are_the_decimals_that_were_written(tmp_path: Path, written: str) -> None:
    (budget,) = loaded(tmp_path, f"{BUDGET}amount = {written}\n").budgets
    assert budget.amount == Decimal(written)


def test_time_without_zone_is_utc(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, OVERRIDE + "discount = 0.1\nfrom = 2026-10-01T08:00:00\n").price_overrides
    assert found.effective_from == datetime(2026, 10, 1, 8, tzinfo=UTC)


def test_alias_and_budgets(tmp_path: Path) -> None:
    text = """
    [[prices.alias]]
    name = "azure/mine-*"
    provider = "openai"
    model = "gpt-5.4-mini"
    [[budgets]]
    name = "all"
    amount = 5000
    [[budgets]]
    name = "search"
    amount = 12.50
    period = "week"
    where = { feature = "search", team = "core" }
    """
    found = loaded(tmp_path, text)
    assert found.aliases == (Alias("azure/mine-*", "openai", "gpt-5.4-mini"),)
    assert found.budgets == (
        Budget("all", Decimal(5000), "month", {}),
        Budget("search", Decimal("12.50"), "week", {"feature": "search", "team": "core"}),
    )


def test_limits_mean_what_they_say(tmp_path: Path) -> None:
    lines = (
        "retry_rate <= 5%",
        "retry_rate>=0.5",
        'cost_per_request(feature = "say \\"x\\"", cohort="pro") <= +15%',
        "cost_per_hour <= $12.50",
        "tokens_per_minute <= 3x vs 28d",
        "prompt_cache_share >= -20% vs 7d",
        "budget.team.platform <= 90%",
    )
    listed = ", ".join(f"'{line}'" for line in lines)
    budget = BUDGET.replace("'b'", "'team.platform'") + "amount = 1\n"
    found = loaded(tmp_path, f"{budget}[check]\nlimits = [{listed}]\n").check.limits
    week, day = timedelta(days=7), timedelta(hours=24)
    assert [
        (each.measure, dict(each.where), each.is_most, each.kind, str(each.bound), each.over, each.versus)
        for each in found
    ] == [
        ("retry_rate", {}, True, "value", "0.05", day, None),
        ("retry_rate", {}, False, "value", "0.5", day, None),
        ("cost_per_request", {"feature": 'say "x"', "cohort": "pro"}, True, "change", "0.15", day, week),
        ("cost_per_hour", {}, True, "value", "12.50", day, None),
        ("tokens_per_minute", {}, True, "times", "3", day, timedelta(days=28)),
        ("prompt_cache_share", {}, False, "change", "-0.2", day, week),
        ("budget.team.platform", {}, True, "value", "0.9", day, None),
    ]
    assert found[-1].budget == "team.platform"
    text = 'cost_per_request(feature = "x", ) <= +1.5% vs 2w over 12h'
    (other,) = loaded(tmp_path, f"[check]\nlimits = ['{text}']\n").check.limits
    assert (other.versus, other.over) == (timedelta(weeks=2), timedelta(hours=12))


def test_drivers_of_measures_are_drivers() -> None:
    for measure in MEASURES.values():
        assert set(measure.drivers) <= set(factors.NAMES), measure.name


def test_rules_and_tiers_keep_their_order(tmp_path: Path) -> None:
    text = """
    [[attribution.rules]]
    when = { key = ["a", "b*"], "tags.plan" = "pro", tag = "beta" }
    set = { feature = "x", team = "{team}" }
    [[attribution.rules]]
    set = { cohort = "y" }
    [model_tiers]
    small = ["*mini*"]
    big = []
    """
    found = loaded(tmp_path, text)
    assert found.rules is not None
    assert [dict(each.set) for each in found.rules] == [{"feature": "x", "team": "{team}"}, {"cohort": "y"}]
    assert dict(found.rules[0].when) == {"key": ("a", "b*"), "tags.plan": ("pro",), "tag": ("beta",)}
    assert found.model_tiers == (("small", ("*mini*",)), ("big", ()))


def test_default_rules_apply_until_they_are_switched_off(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").default_rules
    assert not loaded(tmp_path, "[attribution]\ndefaults = false\n").default_rules
