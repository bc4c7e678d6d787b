"""Formats of other packages: an entry point names a folder, and it is read like a packaged one."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FORMAT = """
name = "acme"
group = "gateway"
title = "Acme gateway"
written_by = "the Acme gateway"
how_to_get = "copy its log"
gateway = "acme"
grain = "attempt"
family = "acme"
dedupe = "rid"
tokens = "input and output, without cache"
time = "at, seconds"
cost = "none"
cannot_tell = ["cached tokens"]

[columns]
rid = "VARCHAR"
at = "BIGINT"
llm = "STRUCT(name VARCHAR)"
tin = "BIGINT"
tout = "BIGINT"

[identify]
all = ["json_exists(record, '$.rid')", "json_exists(record, '$.tin')"]
"""
SELECT = """
SELECT
    record_number,
    true AS is_call,
    rid AS dedupe_key,
    CASE WHEN "at" IS NULL THEN 'at is missing' END AS reject_reason,
    from_seconds("at") AS started_at,
    llm.name AS price_model,
    llm.name AS response_model,
    tin AS input_uncached_tokens,
    tout AS output_text_tokens,
    'reported' AS usage_source,
    'ok' AS status
FROM records
"""
RECORDS = [
    {"rid": "a", "at": 1762160400, "llm": {"name": "gpt-4o-mini"}, "tin": 100, "tout": 10},
    {"rid": "b", "at": 1762160401, "llm": {"name": "gpt-4o-mini"}, "tin": 200, "tout": 20},
    {"rid": "c", "llm": {"name": "gpt-4o-mini"}, "tin": 200, "tout": 20},
]


@dataclass(frozen=True)
class Site:
    """A folder on the module path with packages in it, as an installer leaves them."""

    folder: Path

    def install(
        self,
        package: str = "acme_logs",
        *,
        points: str = "acme = acme_logs:FOLDER",
        code: str = "from pathlib import Path\n\nFOLDER = Path(__file__).with_name('acme')\n",
        declaration: str = FORMAT,
        select: str = SELECT,
    ) -> None:
        """Install a package whose folder `acme` is a format."""
        form = self.folder / package / "acme"
        form.mkdir(parents=True)
        (form.parent / "__init__.py").write_text(code)
        (form / "format.toml").write_text(declaration)
        (form / "map.sql").write_text(select)
        info = self.folder / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[infercost.formats]\n{points}\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run infercost with the packages of the site."""
        return subprocess.run(
            [sys.executable, "-m", "infercost", *arguments],
            cwd=self.folder.parent,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def fails(self, *arguments: str) -> str:
        """Run infercost, which must fail in a way that a person understands, and return what it says."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "acme.jsonl").write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    return Site(folder)


def rows(site: Site, statement: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(site.run("sql", statement, "-f", "json").stdout)
    return found


@pytest.mark.parametrize(
    "code",
    [
        "from pathlib import Path\n\nFOLDER = Path(__file__).with_name('acme')\n",
        "import os\n\nFOLDER = os.path.join(os.path.dirname(__file__), 'acme')\n",
        "from pathlib import Path\n\ndef FOLDER():\n    return Path(__file__).with_name('acme')\n",
    ],
    ids=["path", "text", "function"],
)
def test_a_format_of_another_package_reads_its_log(site: Site, code: str) -> None:
    site.install(code=code)
    done = site.run("ingest", "logs", "acme.jsonl")

    assert done.returncode == 3
    assert "acme.jsonl:3: rejected: at is missing" in done.stderr
    assert rows(site, "select format, gateway, sum(input_tokens)::int as n from attempts group by all") == [
        {"format": "acme", "gateway": "acme", "n": 300}
    ]


def test_it_is_listed_and_can_be_checked(site: Site) -> None:
    site.install()
    listed = json.loads(site.run("formats", "--json").stdout)
    checked = site.run("formats", "check", "acme", "acme.jsonl", "--json")

    assert [each["title"] for each in listed if each["name"] == "acme"] == ["Acme gateway"]
    assert checked.returncode == 3
    assert json.loads(checked.stdout)["tokens"] == {"input_uncached": 300, "output_text": 30}


NAME = "error: the format acme of the package acme-logs cannot be loaded: "


def _without(key: str) -> str:
    return "\n".join(line for line in FORMAT.splitlines() if not line.startswith(f"{key} ="))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"points": "acme = acme_logs:NOWHERE"}, "AttributeError: module 'acme_logs' has no attribute 'NOWHERE'"),
        ({"points": "acme = acme_nowhere:FOLDER"}, "ModuleNotFoundError: No module named 'acme_nowhere'"),
        ({"code": "raise RuntimeError('no licence\\nsecond line')"}, "RuntimeError: no licence"),
        ({"code": "FOLDER = 7"}, "TypeError: "),
        ({"code": "FOLDER = '/nowhere/acme'"}, "/nowhere/acme/format.toml: "),
        ({"declaration": _without("title")}, "format.toml: title is required and must be text"),
        ({"declaration": FORMAT.replace('"gateway"', '"proxy"', 1)}, "format.toml: group must be one of gateway, "),
        ({"declaration": FORMAT.replace('"acme"', '"other"', 1)}, "name 'other' does not fit the folder 'acme'"),
        ({"declaration": "name ="}, "format.toml: Invalid value"),
        ({"declaration": FORMAT.replace("'$.rid')", "'$.rid'")}, "acme: Parser Error: "),
        ({"declaration": FORMAT.replace('"BIGINT"', '"BIGNUMBER"')}, "acme: Catalog Error: "),
        ({"select": SELECT.replace("SELECT", "SELEKT")}, "acme: Parser Error: "),
        ({"select": SELECT.replace("tin AS", "tokens_in AS")}, "acme: Binder Error: "),
        ({"select": SELECT.replace("usage_source", "usage_sauce")}, "acme: Binder Error: "),
    ],
)
def test_a_broken_one_is_named_with_the_reason(site: Site, broken: dict[str, Any], reason: str) -> None:
    site.install(**broken)
    for arguments in (["formats"], ["ingest", "logs", "acme.jsonl"]):
        told = site.fails(*arguments)
        assert told.startswith(NAME)
        assert reason in told.splitlines()[0]
        assert "hint: Update or remove the package." in told


def test_commands_that_read_no_log_do_not_load_it(site: Site) -> None:
    site.install(code="raise RuntimeError")

    assert site.run("--help").returncode == 0
    assert site.run("formats", "--help").returncode == 0
    assert site.run("init").returncode == 0


def test_two_formats_of_one_name_are_an_error(site: Site) -> None:
    site.install()
    site.install("acme_more", points="acme = acme_more:FOLDER")

    assert "error: two formats are named 'acme': " in site.fails("formats")


def test_the_name_of_a_packaged_format_is_taken(site: Site) -> None:
    site.install(
        declaration=FORMAT.replace('"acme"', '"kong"', 1),
        code="from pathlib import Path\n\nFOLDER = Path(__file__).with_name('kong')\n",
    )
    shutil.move(site.folder / "acme_logs" / "acme", site.folder / "acme_logs" / "kong")

    assert "error: two formats are named 'kong': " in site.fails("ingest", "logs", "acme.jsonl")
