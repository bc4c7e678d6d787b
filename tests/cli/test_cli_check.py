"""`infercost check`: what fires and why, what could not be told, and what is told once."""

import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import pytest
from filelock import FileLock
from jsonschema import Draft202012Validator, FormatChecker

from cli.check_world import NOW, TAIL, Call, Change, write
from cli.conftest import ROOT, Cli, Ran
from infercost.errors import ExitCode


def more_frontier(call: Call, drawn: random.Random) -> None:
    call["model"] = "large" if drawn.random() < 0.6 else "small"


def failing(call: Call, drawn: random.Random) -> None:
    call["fails"] = call["cache"] == "miss" and drawn.random() < 0.15


def uncached(call: Call, _: random.Random) -> None:
    if call["usage"]:
        call["usage"] = {**call["usage"], "input": call["usage"]["input"] + call["usage"]["read"], "read": 0}


def missing(call: Call, _: random.Random) -> None:
    if call["cache"] == "hit":
        call |= {"cache": "miss", "usage": {"input": 1100, "read": 0, "answer": 150}}


def longer(call: Call, _: random.Random) -> None:
    call["usage"] = {kind: round(count * 1.8) for kind, count in call["usage"].items()}


def calm(_call: Call, _: random.Random) -> None:
    """Change nothing."""


World = Callable[..., Ran]


@pytest.fixture
def check(cli: Cli, tmp_path: Path) -> World:
    """Run a check in a folder at a time; the log is read first."""

    def run(*arguments: str, now: datetime = NOW) -> Ran:
        return cli("check", *arguments, INFERCOST_NOW=now.isoformat())

    return run


Make = Callable[..., None]


@pytest.fixture
def made(cli: Cli, calm_store: Path, tmp_path: Path) -> Make:
    """Make a store in which something happens since some hours before NOW."""

    def make(settings: str = "", change: Change = calm, hours: int = 36) -> None:
        shutil.copytree(calm_store, tmp_path / "infercost-store")
        log = write(tmp_path, settings, change, since=NOW - timedelta(hours=hours))
        done = cli("ingest", "logs", log.name)
        assert done.code == 0, done.err

    return make


def findings(done: Ran) -> dict[str, dict[str, Any]]:
    return {each["key"]: each for each in json.loads(done.text)["findings"]}


def fired(done: Ran) -> set[str]:
    return {key for key, each in findings(done).items() if each["outcome"] == "fired"}


def test_a_calm_company_is_fine(check: World, made: Make) -> None:
    made()
    done = check("--format", "json")
    assert (done.code, fired(done)) == (ExitCode.OK, set()), done.text
    assert {each["outcome"] for each in findings(done).values()} == {"ok"}
    assert done.err == ""
    assert "Nothing fired" in check().text


INCIDENTS: dict[str, tuple[Change, str, str]] = {
    "routing": (more_frontier, "routing_share", "routing"),
    "retries": (failing, "retry_rate", "retries"),
    "prompt cache": (uncached, "prompt_cache_share", "prompt_cache"),
    "gateway cache": (missing, "gateway_hit_rate", "gateway_cache"),
    "prompts": (longer, "prompt_tokens", "prompt_length"),
}


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_named_with_its_dollars_and_its_hour(check: World, made: Make, name: str) -> None:
    change, measure, driver = INCIDENTS[name]
    made(change=change, hours=72)
    done = check("--format", "json")
    assert done.code == ExitCode.CHECK_FAILED
    finding = findings(done)[f"signal:{measure}"]
    assert (finding["outcome"], finding["news"]) == ("fired", "new"), done.text
    assert finding["causes"][0]["driver"] == driver
    assert float(finding["dollars_per_day"]) > 0
    began = datetime.fromisoformat(finding["since"])
    assert abs(began - (NOW - timedelta(hours=72))) <= timedelta(hours=6)


def test_the_dollars_are_those_of_the_truth(check: World, made: Make) -> None:
    """Of calls that fail, every attempt costs what the one that answers does."""
    wasted = [0.0]

    def counted(call: Call, drawn: random.Random) -> None:
        failing(call, drawn)
        if call["fails"] and datetime.fromtimestamp(call["at"] / 1000, NOW.tzinfo) < NOW.replace(minute=0):
            rates = (5, 0.5, 20) if call["model"] == "large" else (1, 0.1, 4)
            wasted[0] += sum(
                rate * call["usage"][kind] for rate, kind in zip(rates, ("input", "read", "answer"), strict=True)
            )

    made(change=counted, hours=72)
    told = float(findings(check("--format", "json"))["signal:retry_rate"]["dollars_per_day"])
    assert told == pytest.approx(wasted[0] / 1e6 / (72 + 1 / 3) * 24 * (1 - 0.01 / 0.15), rel=0.15)


LIMITS = """
[check]
signals = false
limits = [
  'retry_rate <= 5%',
  'retry_rate(feature = "search") <= 5%',
  'cost_per_request <= +15% vs 7d',
  'tokens_per_minute(endpoint = "/v1/chat") <= 1.5x',
  'prompt_cache_share >= 20%',
  'routing_share(model_tier = "frontier") <= 30% over 12h',
  'p95_prompt_tokens <= 20000',
  'unpriced_share <= 0%',
]
"""


def test_limits_hold_or_fire_and_say_why(check: World, made: Make) -> None:
    made(LIMITS, more_frontier, hours=24)
    done = check("--format", "json")
    assert done.code == ExitCode.CHECK_FAILED
    assert fired(done) == {
        "limit:cost_per_request <= +15% vs 7d",
        'limit:routing_share(model_tier = "frontier") <= 30% over 12h',
    }
    routing = findings(done)['limit:routing_share(model_tier = "frontier") <= 30% over 12h']
    assert routing["value"] == pytest.approx(0.6, abs=0.08)
    assert (routing["high"], routing["usual"]) == (0.3, None)
    cost = findings(done)["limit:cost_per_request <= +15% vs 7d"]
    assert cost["high"] == pytest.approx(1.15 * cost["usual"])
    assert cost["causes"][0]["driver"] == "routing"


UNKNOWN = """
[check]
signals = false
limits = [
  'retry_rate(feature = "serach") <= 5%',
  'cost_per_request <= +10% vs 90d',
  'gateway_hit_rate(feature = "search") >= 1% over 1h',
]
"""


def test_what_could_not_be_told_is_not_fine(check: World, made: Make) -> None:
    made(UNKNOWN)
    done = check()
    assert done.code == ExitCode.COULD_NOT_TELL
    assert "is the name right?" in done.text
    assert "the store has none" in done.text
    assert "20 are the least" in done.text


def test_short_history_is_said_and_nothing_fires(check: World, cli: Cli, tmp_path: Path) -> None:
    log = write(
        tmp_path, first=NOW - timedelta(days=20), until=NOW, change=more_frontier, since=NOW - timedelta(days=2)
    )
    assert cli("ingest", "logs", log.name).code == 0
    done = check("--format", "json")
    assert done.code == ExitCode.COULD_NOT_TELL
    assert {each["outcome"] for each in findings(done).values()} == {"unknown"}
    assert all("days of history" in each["reason"] for each in findings(done).values())


def test_old_data_tells_nothing(check: World, made: Make) -> None:
    made()
    done = check(now=NOW + timedelta(days=2))
    assert done.code == ExitCode.COULD_NOT_TELL
    assert "48." in done.text
    assert "ingest first" in done.text


def test_an_empty_store_is_no_data(check: World, cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, until=TAIL - timedelta(days=400))
    assert cli("ingest", "logs", "acme.jsonl").code == ExitCode.PARTLY_REJECTED
    done = check()
    assert done.code == ExitCode.NO_DATA
    assert "ingest logs" in done.err


def test_two_incidents_at_once_are_two(check: World, made: Make) -> None:
    """A smaller one is not taken for what a larger one does to its signal."""

    def both(call: Call, drawn: random.Random) -> None:
        uncached(call, drawn)
        if drawn.random() < 0.2:
            call["model"] = "large"

    made(change=both)
    found = {each["measure"]: each for each in json.loads(check("--format", "json", "--dry-run").text)["findings"]}
    assert [found[name]["outcome"] for name in ("routing_share", "prompt_cache_share")] == ["fired", "fired"]
    assert {found[name]["follows"] for name in ("routing_share", "prompt_cache_share")} == {None}
    assert found["prompt_cache_share"]["causes"][0]["driver"] == "prompt_cache"


def test_an_incident_is_told_once_and_when_it_is_over(check: World, made: Make, cli: Cli, tmp_path: Path) -> None:
    settings = "[check]\nsignals = false\nlimits = ['retry_rate <= 5%']\n"
    made(settings, failing)
    first, second = check(), check()
    assert (first.code, second.code) == (ExitCode.CHECK_FAILED, ExitCode.OK)
    assert "1 thing to look at" in first.text
    assert "1 known already" in second.text
    assert "goes on" in second.text
    assert check("--fresh", "--dry-run").code == ExitCode.CHECK_FAILED

    later = NOW + timedelta(hours=30)
    write(tmp_path, settings, calm, until=later)
    assert cli("ingest", "logs", "acme.jsonl").code == 0
    third, fourth = check(now=later), check(now=later)
    assert (third.code, fourth.code) == (ExitCode.OK, ExitCode.OK)
    assert "1 over" in third.text
    assert "over" not in fourth.text


def test_quiet_prints_only_what_differs(check: World, made: Make) -> None:
    made("[check]\nsignals = false\nlimits = ['retry_rate <= 5%']\n", failing)
    first, second, late, later = (check("--quiet", now=NOW + timedelta(days=days)) for days in (0, 0, 1, 1 + 1 / 24))
    assert [each.code for each in (first, second)] == [ExitCode.CHECK_FAILED, ExitCode.OK]
    assert [each.code for each in (late, later)] == [ExitCode.COULD_NOT_TELL] * 2
    assert "1 thing to look at" in first.text
    assert "ingest first" in late.text
    assert (second.text, later.text) == ("", "")


def test_a_dry_run_remembers_nothing(check: World, made: Make) -> None:
    made("[check]\nsignals = false\nlimits = ['retry_rate <= 5%']\n", failing)
    assert check("--dry-run").code == ExitCode.CHECK_FAILED
    assert check().code == ExitCode.CHECK_FAILED


def test_a_second_check_at_once_leaves(check: World, made: Make, tmp_path: Path) -> None:
    made()
    (tmp_path / "infercost-store" / "check").mkdir()
    with FileLock(tmp_path / "infercost-store" / "check" / "lock"):
        done = check()
    assert done.code == ExitCode.STORE_BUSY
    assert "another infercost check is running" in done.err
    assert check().code == ExitCode.OK


def test_a_damaged_memory_is_named(check: World, made: Make, tmp_path: Path) -> None:
    made()
    assert check().code == ExitCode.OK
    (tmp_path / "infercost-store" / "check" / "told.json").write_text("{")
    done = check()
    assert done.code == ExitCode.ERROR
    assert "told.json" in done.err
    (tmp_path / "infercost-store" / "check" / "told.json").write_text('{"version": 99}')
    assert check().code == ExitCode.OK


def test_damaged_sums_are_counted_again(check: World, made: Make, tmp_path: Path) -> None:
    made()
    before = check("--format", "json", "--dry-run").text
    for file in (tmp_path / "infercost-store" / "check").glob("sums-*.parquet"):
        file.write_bytes(b"PAR1 and nothing more")
    assert check("--format", "json", "--dry-run").text == before


BUDGETS = """
[[budgets]]
name = "all"
amount = 1000
soft = "1%"
[[budgets]]
name = "team.tokens"
amount = 500_000
unit = "tokens"
period = "14d"
starts = 2026-11-02
where = { feature = "search" }
[[budgets]]
name = "talk"
amount = 0.05
period = "session"
[check]
signals = false
limits = ["budget.team.tokens <= 90%"]
"""


def test_budgets_warn_and_fail(check: World, made: Make, cli: Cli) -> None:
    made(BUDGETS)
    done = check("--format", "json")
    found = {each["title"]: each for each in findings(done).values()}
    assert done.code == ExitCode.CHECK_FAILED
    assert (found["Budget all"]["outcome"], found["Budget all"]["is_warning"]) == ("fired", True)
    assert (found["Budget team.tokens"]["outcome"], found["Budget team.tokens"]["high"]) == ("fired", 0.9)
    assert (found["Budget talk"]["outcome"], found["Budget talk"]["is_warning"]) == ("fired", False)
    uses = {each["name"]: each for each in json.loads(done.text)["budgets"]}
    assert (uses["team.tokens"]["period_start"], uses["team.tokens"]["period_end"]) == ("2026-11-16", "2026-11-30")
    searched = (
        "select sum(input_tokens + output_tokens) as n from attempts "
        "where feature = 'search' and started_at between '2026-11-16' and '2026-11-18 12:19:59.999999'"
    )
    assert uses["team.tokens"]["spent"] == json.loads(cli("sql", searched, "-f", "json").text)[0]["n"]
    assert uses["talk"]["sessions"] > uses["talk"]["sessions_over"] > 0


def test_a_price_a_model_and_an_unpriced_one_are_told_exactly(check: World, made: Make) -> None:
    def new_model(call: Call, drawn: random.Random) -> None:
        if drawn.random() < 0.02:
            call["model"] = "huge"

    dearer = """
[[prices.override]]
provider = "acme"
model = "large"
input_uncached = 6
from = 2026-11-18T06:00:00Z
[check]
signals = false
"""
    made(dearer, new_model, hours=10)
    done = check("--format", "json")
    assert done.code == ExitCode.CHECK_FAILED
    assert fired(done) == {
        "event:price took effect:acme large:2026-11-18",
        "event:new model:huge:2026-11-18",
        "event:unpriced:huge (acme)",
    }
    assert check().code == ExitCode.OK


def test_every_form_says_the_same(check: World, made: Make, tmp_path: Path) -> None:
    made(LIMITS, more_frontier)
    forms = ("json", "markdown", "junit", "github", "prometheus", "terminal")
    done = check(*(part for form in forms for part in ("--write", f"{form}=out.{form}")), "--dry-run")
    written = {form: (tmp_path / f"out.{form}").read_text() for form in forms}
    schema = json.loads((ROOT / "docs/schemas/check.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(json.loads(written["json"]))
    titles = {each["title"] for each in json.loads(written["json"])["findings"] if each["outcome"] == "fired"}
    assert titles
    suite = ElementTree.fromstring(written["junit"])  # noqa: S314 (written by us)
    assert {case.get("name") for case in suite if case.find("failure") is not None} == titles
    assert int(suite.get("failures", "0")) == len(titles)
    errors = [line for line in written["github"].splitlines() if line.startswith("::error ")]
    assert len(errors) == len(titles)
    assert all("why%3A" in line or "%0Awhy: " in line for line in errors)
    assert written["prometheus"].count('kind="limit"} 1.0') == len(titles)
    for title in titles:
        assert title in " ".join(done.text.split())
        assert title.replace("_", "\\_").replace("<", "\\<") in written["markdown"]


def test_the_summary_of_a_step_is_written(made: Make, cli: Cli, tmp_path: Path) -> None:
    made(LIMITS, more_frontier)
    done = cli(
        "check", "--format", "github", INFERCOST_NOW=NOW.isoformat(), GITHUB_STEP_SUMMARY=str(tmp_path / "step.md")
    )
    assert done.code == ExitCode.CHECK_FAILED
    assert (tmp_path / "step.md").read_text().startswith("**2 things to look at")


def test_hostile_names_stay_text_in_every_form(check: World, made: Make) -> None:
    name = 'x"\n::error::y\x1b[31m<!channel>&|`'

    def named(call: Call, drawn: random.Random) -> None:
        if drawn.random() < 0.3:
            call["model"] = name

    made("[check]\nsignals = false\n", named)
    for form in ("terminal", "markdown", "junit", "github", "prometheus"):
        text = check("--format", form, "--dry-run").text
        assert "\x1b" not in text
        assert not any(line.startswith("::error::") for line in text.splitlines())
    ElementTree.fromstring(check("--format", "junit", "--dry-run").text)  # noqa: S314 (written by us)


BAD_LIMITS = {
    "retry_rate": "is no limit",
    "retry_rate <= five": "is no limit",
    "rety_rate <= 5%": "not known; allowed",
    "retry_rate <= 5% vs 7d": "vs goes with a change",
    "cost_per_request <= 5%": "is no share",
    "cost_per_request <= +5": "a change is a percentage",
    'retry_rate(colour = "red") <= 5%': "is no dimension",
    "retry_rate(feature = red) <= 5%": "in brackets stands",
    "routing_share <= 5%": "needs a tier",
    "budget.nope <= 90%": "no budget of that name",
    "budget.nope <= 90": "by a percentage alone",
}


@pytest.mark.parametrize("limit", BAD_LIMITS)
def test_a_limit_that_cannot_be_read_says_what_is_allowed(check: World, tmp_path: Path, limit: str) -> None:
    (tmp_path / "infercost.toml").write_text(f"[check]\nlimits = ['{limit}']\n")
    done = check()
    assert done.code == ExitCode.BAD_USAGE
    assert BAD_LIMITS[limit] in done.err
    assert "infercost.toml: check.limits" in done.err


def test_kept_sums_change_nothing(check: World, calm_store: Path, cli: Cli, tmp_path: Path) -> None:
    """What earlier runs counted is what a run without it counts, also after more of the same days was read."""
    settings = LIMITS.replace("signals = false", 'by = ["feature", "endpoint"]')
    kept = tmp_path / "infercost-store" / "check"
    shutil.copytree(calm_store, tmp_path / "infercost-store")
    write(tmp_path, settings, calm, until=NOW - timedelta(days=1))
    assert cli("ingest", "logs", "acme.jsonl").code == 0
    check(now=NOW - timedelta(days=1))
    write(tmp_path, settings, calm)
    assert cli("ingest", "logs", "acme.jsonl").code == 0
    with_kept = check("--format", "json", "--fresh", "--dry-run").text
    files = list(kept.glob("sums-*.parquet"))
    assert len(files) >= 3
    for file in files:
        file.unlink()
    assert check("--format", "json", "--fresh", "--dry-run").text == with_kept


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is sent; answers what `answers` says, then 200."""

    answers: ClassVar[list[int]] = []
    got: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(json.loads(body))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a receiver of webhooks; gives its address."""
    monkeypatch.setattr("infercost.cli.webhook.WAIT", 0.01)
    Receiver.answers, Receiver.got = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hooks/SECRET"
    server.shutdown()


def hooked(address: str) -> str:
    hooks = "".join(f'[[check.webhooks]]\nurl = "{address}"\nform = "{form}"\n' for form in ("slack", "generic"))
    return f"[check]\nsignals = false\nlimits = ['retry_rate <= 5%']\n{hooks}"


def test_webhooks_are_told_what_is_new_once(check: World, made: Make, receiver: str) -> None:
    made(hooked(receiver), failing)
    dry = check("--dry-run")
    assert "would be sent to http://127.0.0.1" in dry.err
    assert "SECRET" not in dry.err
    assert Receiver.got == []
    Receiver.answers = [503, 429, 200]
    assert check().code == ExitCode.CHECK_FAILED
    slack, generic = Receiver.got[2:]
    assert Receiver.got[0] == Receiver.got[1] == slack
    assert "retry_rate &lt;= 5%" in slack["blocks"][1]["text"]["text"]
    assert generic["findings"][0]["news"] == "new"
    assert check().code == ExitCode.OK
    assert len(Receiver.got) == 4


def test_a_webhook_that_refuses_is_a_warning_and_told_again(check: World, made: Make, receiver: str) -> None:
    made(hooked(receiver), failing)
    Receiver.answers = [403]
    done = check()
    assert done.code == ExitCode.CHECK_FAILED
    assert "answered 403" in done.err
    assert "SECRET" not in done.err
    assert len(Receiver.got) == 2
    assert check().code == ExitCode.CHECK_FAILED
    assert len(Receiver.got) == 4
    assert check().code == ExitCode.OK
