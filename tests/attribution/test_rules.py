"""The language of attribution rules, on attempts that came through the whole ingest."""

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab, message, payload

from infercost import config
from infercost.assets import folder as packaged
from infercost.attribution import rules
from infercost.cli import init
from infercost.errors import ConfigError

if TYPE_CHECKING:
    from infercost.config import Config

NONE = "(unattributed)"


OWN_ONLY = "[attribution]\ndefaults = false\n"


def settings(lab: Lab, text: str) -> "Config":
    """Return the configuration; rules of a test's own stand alone."""
    return config.load(lab.write("rules.toml", OWN_ONLY * ("rules" in text) + text))


def test_own_rules_come_before_the_default_ones(lab: Lab) -> None:
    own = config.load(lab.write("own.toml", rule('key = "checkout-*"')))
    records = [payload(1), payload(2, request_tags=["feature:search"])]
    records[1]["metadata"]["user_api_key_alias"] = "search-prod"
    lab.ingest(lab.write("rules.jsonl", records), settings=own)
    assert lab.rows("SELECT feature FROM attempts ORDER BY started_at") == [("yes",), ("search",)]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A store with one attempt, to which rules are applied."""
    lab = Lab(tmp_path_factory.mktemp("stored"))
    lab.ingest(lab.write("rules.jsonl", [payload(1, request_tags=["feature:search", "beta"])]))
    return lab


def applied(stored: Lab, text: str) -> str:
    """Return the feature that the rules give the stored attempt."""
    found = rules.expressions(settings(stored, text), stored.store().salt)
    return str(stored.value(f"SELECT {found['feature']} FROM attempts"))


def attributed(lab: Lab, text: str, *records: dict[str, Any], columns: str = "feature") -> list[Any]:
    """Return the columns of the attempts, in order of time; one column gives plain values."""
    path = lab.write("rules.jsonl", records or [payload(1)])
    lab.ingest(path, settings=settings(lab, text))
    rows = lab.rows(f"SELECT {columns} FROM attempts ORDER BY started_at")
    return [row[0] for row in rows] if "," not in columns else rows


def rule(when: str, feature: str = '"yes"') -> str:
    return f"[[attribution.rules]]\nwhen = {{ {when} }}\nset = {{ feature = {feature} }}\n"


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ('key = "checkout-prod"', True),
        ('key = "checkout"', False),
        ('key = "checkout-*"', True),
        ('key = "*-pro?"', True),
        ('key = "[a-c]heckout-prod"', True),
        ('key = "[d-z]heckout-prod"', False),
        ('key = "CHECKOUT-PROD"', False),
        ('key = ["nothing", "checkout-*"]', True),
        ('key = "re:out-(prod|test)$"', True),
        ('key = "re:^out"', False),
        ('key = "0123abcd"', True),
        ('user = "user-1"', True),
        ('user = "user-2"', False),
        ('user = "*"', True),
        ('model = "gpt-4o*"', True),
        ('response_model = "gpt-4o-mini"', True),
        ('provider = "openai"', True),
        ('gateway = "litellm"', True),
        ('format = "litellm"', True),
        ('path = "*/rules.jsonl"', True),
        ('path = "re:rules[.]jsonl$"', True),
        ('"tags.feature" = "search"', True),
        ('"tags.feature" = "se*"', True),
        ('"tags.feature" = "other"', False),
        ('"tags.absent" = "*"', False),
        ('tag = "beta"', True),
        ('tag = "feature"', False),
        ('team = "*"', False),
        ('key = "checkout-*", model = "gpt-4o*"', True),
        ('key = "checkout-*", model = "claude*"', False),
    ],
)
def test_condition(stored: Lab, when: str, matches: bool) -> None:
    assert applied(stored, rule(when)) == ("yes" if matches else NONE)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("{tags.feature}", "search"),
        ("{tags.feature}-{key}", "search-checkout-prod"),
        ("{key|^([a-z]+)-}", "checkout"),
        ("{key|^[a-z]{4}}", "chec"),
        ("{key|nothing(.*)}", NONE),
        ("{tags.absent}", NONE),
        ("a-{tags.absent}", NONE),
        ("{model}", "gpt-4o-mini"),
        ("{path|([^/]+)[.]jsonl$}", "rules"),
        ("it's", "it's"),
    ],
)
def test_template(stored: Lab, template: str, value: str) -> None:
    assert applied(stored, f"[[attribution.rules]]\nset = {{ feature = '''{template}''' }}\n") == value


def test_first_rule_with_a_value_wins_for_each_column_alone(lab: Lab) -> None:
    text = """
    [[attribution.rules]]
    set = { feature = "{tags.absent}", cohort = "first" }
    [[attribution.rules]]
    when = { key = "other" }
    set = { feature = "no", team = "no" }
    [[attribution.rules]]
    set = { feature = "third", cohort = "third", team = "third" }
    [[attribution.rules]]
    set = { feature = "last", route = "last" }
    """
    assert attributed(lab, text, payload(1), columns="feature, cohort, team, route") == [
        ("third", "first", "third", "last")
    ]


def test_what_no_rule_catches_is_counted(lab: Lab) -> None:
    path = lab.write("a.jsonl", [payload(1), payload(2, request_tags=[])])
    result = lab.ingest(path)
    assert result.total("unattributed") == 1
    assert lab.value(f"SELECT count(*) FROM attempts WHERE feature = '{NONE}'") == 1


def test_user_by_name_matches_with_and_without_hashing(lab: Lab) -> None:
    for hashed in ("true", "false"):
        lab.ingest(
            lab.write("a.jsonl", [payload(1), payload(2)]),
            store=f"store-{hashed}",
            settings=settings(lab, rule('user = "user-1"') + f"[privacy]\nhash_ids = {hashed}\n"),
        )
        found = lab.rows("SELECT feature FROM attempts ORDER BY started_at", f"store-{hashed}")
        assert found == [("yes",), (NONE,)]


@pytest.mark.parametrize("pattern", ["user-*", "re:user-.", "user-[12]", "user-?"])
def test_pattern_on_hashed_users_is_an_error_that_says_what_to_do(lab: Lab, pattern: str) -> None:
    with pytest.raises(ConfigError, match="user ids are stored as hashes") as caught:
        attributed(lab, rule(f'user = "{pattern}"'))
    assert caught.value.hint is not None
    assert "hash_ids = false" in caught.value.hint
    assert lab.store().snapshot().sequence == 0


def test_pattern_on_users_that_are_not_hashed(lab: Lab) -> None:
    text = rule('user = "user-[12]"') + "[privacy]\nhash_ids = false\n"
    assert attributed(lab, text, *(payload(number) for number in range(3))) == [NONE, "yes", "yes"]


@pytest.mark.parametrize(
    "text",
    [rule('key = "re:("'), '[[attribution.rules]]\nset = { feature = "{key|(}" }\n', rule('key = "x"', '"{nothing}"')],
)
def test_rule_that_cannot_work_is_an_error_before_anything_is_written(lab: Lab, text: str) -> None:
    with pytest.raises(ConfigError, match=r"attribution\.rules"):
        attributed(lab, text)
    assert lab.store().snapshot().sequence == 0


@pytest.mark.parametrize("pattern", ["re:(?=x)y", "re:x(?!y)"])
def test_regular_expression_that_only_python_knows_is_an_error(lab: Lab, pattern: str) -> None:
    with pytest.raises(ConfigError, match="not a regular expression"):
        attributed(lab, rule(f"key = '{pattern}'"))


# --- tiers ---------------------------------------------------------------------------------------------------


DEFAULT_TIERS = (
    ("gpt-4o-mini", "small"),
    ("openai/gpt-5.4-mini-2026-03-17", "small"),
    ("gemini-2.5-flash-lite", "small"),
    ("claude-haiku-4-5-20251001", "small"),
    ("text-embedding-3-small", "small"),
    ("gemini-2.5-pro", "frontier"),
    ("gemini/gemini-2.5-pro-preview-06-05", "frontier"),
    ("claude-opus-4-1", "frontier"),
    ("Claude-Opus-4-1", "frontier"),
    ("anthropic.claude-opus-4-20250514-v1:0", "frontier"),
    ("o3", "frontier"),
    ("openai/o3", "frontier"),
    ("gpt-5.5", "frontier"),
    ("gpt-5.5-mini", "small"),
    ("gpt-4o", "mid"),
    ("claude-sonnet-4-6", "mid"),
    ("gemini-2.0-ultra", "mid"),
)


def test_default_tiers(lab: Lab) -> None:
    records = [payload(number, model=model, model_group=model) for number, (model, _) in enumerate(DEFAULT_TIERS)]
    found = attributed(lab, "", *records, columns="request_model, model_tier")
    assert found == list(DEFAULT_TIERS)


def test_tiers_of_the_configuration_and_rules_before_them(lab: Lab) -> None:
    text = """
    [model_tiers]
    tiny = ["gpt-4o-m?ni", "[ab]*", "gpt[!.]5"]
    cheap = ["*"]
    [[attribution.rules]]
    when = { model = "claude*" }
    set = { model_tier = "ours" }
    """
    models = ("gpt-4o-mini", "gpt-4o", "babbage", "claude-x", "gpt.4o-mini", "gpt-5", "gpt.5")
    records = [payload(number, model=model, model_group=model) for number, model in enumerate(models)]
    found = attributed(lab, text, *records, columns="model_tier")
    assert " ".join(found) == "tiny cheap tiny ours cheap tiny cheap"


def test_no_tiers_at_all(lab: Lab) -> None:
    assert attributed(lab, "[model_tiers]\n", columns="model_tier") == [NONE]


# --- defaults ------------------------------------------------------------------------------------------------


def test_default_rules(lab: Lab) -> None:
    records = [
        payload(1, request_tags=["feature:search", "cohort:beta", "team:core", "route:fast"]),
        payload(2, request_tags=["plan:pro"], metadata={"user_api_key_team_alias": "payments"}),
        message("A", 1, 1),
    ]
    lab.ingest(lab.write("a.jsonl", records[:2]), lab.write("b.jsonl", records[2:]))
    assert lab.rows("SELECT feature, cohort, team, route FROM attempts ORDER BY started_at DESC") == [
        (NONE, "pro", "payments", "gpt-4o-mini"),
        ("search", "beta", "core", "fast"),
        ("shop", "internal", NONE, "claude-sonnet-4-6"),
    ]


def test_written_configuration_is_the_defaults(lab: Lab) -> None:
    init.init(lab.folder)
    assert config.load(folder=lab.folder) == config.Config(path=lab.folder / "infercost.toml")


def test_commented_default_rules_of_the_written_configuration_are_the_default_rules(lab: Lab) -> None:
    init.init(lab.folder)
    text = (lab.folder / "infercost.toml").read_text(encoding="utf-8")
    shown = text[text.index("# The default rules:") : text.index("# Examples of your own:")].splitlines()[1:]
    found = tomllib.loads("\n".join(line.removeprefix("#").removeprefix(" ") for line in shown))
    defaults = tomllib.loads(rules.DEFAULTS.read_text(encoding="utf-8"))
    assert found["attribution"]["rules"] == defaults["attribution"]["rules"]


def test_everything_commented_in_the_written_configuration_can_be_used(lab: Lab) -> None:
    """A line of the template that is a key or a table parses when its mark is taken away."""
    init.init(lab.folder)
    text = (lab.folder / "infercost.toml").read_text(encoding="utf-8")
    code = re.compile(r"^# (\[\[?[a-z_.]+\]\]?|[a-z_0-9]+ = .*)$", re.MULTILINE)
    found = config.load(lab.write("full.toml", code.sub(r"\1", text)))
    assert found.rules is not None
    assert len(found.rules) == 6
    assert found.model_tiers is not None
    assert len(found.price_overrides) == 3
    assert len(found.aliases) == len(found.pools) == 1
    assert len(found.budgets) == 2


def test_defaults_are_packaged() -> None:
    assert rules.DEFAULTS.is_file()
    assert packaged("queries").is_dir()


# --- rules that change later ---------------------------------------------------------------------------------

NEW_RULES = """
[[attribution.rules]]
when = { user = "user-1" }
set = { feature = "of user one", cohort = "{tags.feature}" }
[[attribution.rules]]
when = { path = "*/a.jsonl", "tags.feature" = "s*" }
set = { feature = "from a", team = "{key|^([a-z]+)}" }
[model_tiers]
everything = ["*"]
"""


def test_changed_rules_give_what_a_new_ingest_would(lab: Lab) -> None:
    files = [
        lab.write("a.jsonl", [payload(number) for number in range(9)]),
        lab.write("b.jsonl", [message("A", 1, 1), message("B", 2, 1)]),
    ]
    lab.ingest(*files)
    new = lab.write("new.toml", NEW_RULES)
    before = lab.store().snapshot()

    dry = lab.call("reattribute", "--dry-run", "--config", new)
    assert dry.code == 0
    assert "not changed: --dry-run" in dry.err
    assert lab.store().snapshot() == before

    outcome = lab.call("reattribute", "--config", new)
    assert outcome.code == 0
    assert outcome.out == dry.out
    assert lab.store().snapshot().sequence == before.sequence + 1

    lab.ingest(*files, store="fresh", settings=config.load(new))
    columns = "attempt_id, feature, cohort, team, route, model_tier"
    select = f"SELECT {columns} FROM attempts ORDER BY attempt_id"
    assert lab.rows(select) == lab.rows(select, "fresh")
    others = ("feature", "cohort", "team", "route", "model_tier", "load_id", "user_id", "api_key_id")
    assert lab.attempts(without=others) == lab.attempts("fresh", without=others)

    again = lab.call("reattribute", "--config", new)
    assert "nothing changes" in again.err
    assert lab.store().snapshot().sequence == before.sequence + 1


def test_reattribute_of_an_empty_store_changes_nothing(lab: Lab) -> None:
    lab.store()
    outcome = lab.call("reattribute")
    assert outcome.code == 0
    assert "nothing changes" in outcome.err
    assert lab.store().snapshot().sequence == 0


def test_ingest_goes_on_after_reattribute(lab: Lab) -> None:
    lab.ingest(lab.write("a.jsonl", [message("A", 5, 1), message("B", 6, 1)]))
    new = lab.write("new.toml", NEW_RULES)
    lab.call("reattribute", "--config", new)
    lab.ingest(lab.write("b.jsonl", [message("A", 7, 100)]), settings=config.load(new))
    assert lab.rows("SELECT output_tokens, model_tier FROM attempts ORDER BY 1") == [
        (1, "everything"),
        (100, "everything"),
    ]
