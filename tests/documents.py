"""Makes the parts of the documentation that repeat something: `python tests/documents.py` writes them again.

README.md: a `sh` block is run, the `text` block after it is its real output; `...` alone on a line stands for what is
left out, and the number of lines before and after it stays as it is. What stands between `<!-- NAME -->` and
`<!-- /NAME -->` is made by the function of that name in MARKED.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import format_pages
import schemas

from infercost.analyze import queries
from infercost.analyze.drivers import forward
from infercost.config import limits
from infercost.errors import EXIT_CODE_MEANING

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
NOW = "2026-11-19T08:00:00+00:00"
"""The present of the tour: the morning after the last day of the sample logs."""
SAMPLES = ("sample_logs", "sample_bills")
"""Folders that the tour reads."""

_BLOCK = re.compile(r"^```(?P<kind>sh|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_GAP = "..."
_PROGRESS = re.compile(r"reading .*: [\d,]+ of [\d,]+ MB, [\d,]+ MB/s")
_WOBBLY = re.compile(r"^[\d,.]+ MB in [\d,.]+ s.*$|^bytes +[\d,]+$|^store +.*$|^wrote .*$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A command of README.md, and the output shown for it with the place of that output."""

    command: str
    shown: str | None
    span: tuple[int, int] | None


def steps() -> list[Step]:
    """Return README.md's commands in order; the first two are the ones that install and test."""
    text = README.read_text(encoding="utf-8")
    blocks = list(_BLOCK.finditer(text))
    found = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block["kind"] == "sh":
            output = after if after is not None and after["kind"] == "text" else None
            found.append(
                Step(
                    command=block["body"].strip(),
                    shown=output["body"] if output else None,
                    span=output.span("body") if output else None,
                )
            )
    return found


def main_job() -> Step:
    """Return the first command without the installation that it begins with."""
    install = steps()[0]
    return replace(install, command=install.command[install.command.index("infercost ingest") :])


def run(step: Step, folder: Path) -> str:
    """Run a command of the tour in `folder` and return what it prints; fails when the command fails.

    The lines that say how far a slow ingest is are left out: they come or not as the machine is fast or slow.
    """
    scripts = Path(sys.executable).parent
    variables = {name: value for name, value in os.environ.items() if not name.startswith("INFERCOST_STORE")}
    variables |= {"PATH": f"{scripts}{os.pathsep}{variables['PATH']}", "COLUMNS": "80", "INFERCOST_NOW": NOW}
    done = subprocess.run(
        ["bash", "-ceu", step.command],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {step.command}\n{done.stdout}")
    lines = (line.rstrip() for line in done.stdout.splitlines())
    return "\n".join(line for line in lines if not _PROGRESS.fullmatch(line)) + "\n"


def cut(output: str, shown: str) -> str:
    """Return the output with the lines left out that `shown` leaves out."""
    lines, pattern = output.splitlines(), shown.splitlines()
    if _GAP not in pattern:
        return output
    before = pattern.index(_GAP)
    after = len(pattern) - before - 1
    return "\n".join([*lines[:before], _GAP, *lines[len(lines) - after :]]) + "\n"


def steady(output: str) -> str:
    """Return the output without times, sizes and paths, which differ from run to run."""
    return _WOBBLY.sub("(differs)", output)


def exit_codes() -> str:
    """Return docs/exit-codes.md."""
    rows = "".join(f"| {code.value} | `{code.name}` | {meaning} |\n" for code, meaning in EXIT_CODE_MEANING.items())
    return f"""# Exit codes

Every command leaves with one of these. Data goes to stdout, everything else to stderr.

| code | name | meaning |
|---|---|---|
{rows}
In a script: `infercost ingest logs logs/ || test $? -eq 3` goes on when only some records were rejected; they are
listed by `infercost sql "from rejects"`. A reader that leaves early (`| head`) is no error.
"""


def query_pages() -> str:
    """Return docs/queries.md, from the headers of the queries."""
    parts = [
        "# Queries\n",
        "`infercost query` lists them; `infercost query NAME --since 30d --by COLUMNS --format csv` runs one. Each is",
        "a file of `queries/`, whose header is the source of this page. `--by` also takes `model`, `provider`, `tier`,",
        "`user` and `session` for `response_model`, `provider_name`, `model_tier`, `user_id` and `session_id`.",
    ]
    catalog = sorted(queries.catalog().values(), key=lambda each: (each.folder, each.name))
    for folder, found in groupby(catalog, key=lambda each: each.folder):
        parts.append(f"\n## {folder.capitalize()}")
        if folder == "signals":
            parts.append(f"\n{USUAL}")
        for each in found:
            by = f" Grouped by {', '.join(each.by)} unless `--by` says otherwise." if each.by else ""
            parts += [f"\n### {each.name}", f"{each.question}\n", f"Rows: {each.grain}.{by}\n"]
            parts += ["| column | meaning |", "|---|---|"]
            parts += [f"| `{name}` | {doc} |" for name, doc in each.columns.items()]
    return "\n".join(parts) + "\n"


USUAL = """\
What is usual is that of the same times of the week in the four weeks before the window: for an hour that hour and those
beside it, for five minutes those of such hours, for a day that day. Shares are pooled; of all else it is the median.
Low and high are three usual distances away from it."""


def whatif_page() -> str:
    """Return docs/whatif.md with the table of what can be set made again."""
    rows = "".join(f"| `{each.name}` | {each.what} |\n" for each in forward.SETTINGS.values())
    made = f"<!-- settings -->\n| name | what it is |\n|---|---|\n{rows}<!-- /settings -->\n"
    text = (ROOT / "docs/whatif.md").read_text(encoding="utf-8")
    return re.sub(r"<!-- settings -->\n.*<!-- /settings -->\n", lambda _: made, text, flags=re.DOTALL)


def check_page() -> str:
    """Return docs/check.md with the table of measures made again."""
    rows = "".join(f"| `{each.name}` | {each.title} | {UNITS[each.unit]} |\n" for each in limits.MEASURES.values())
    rows += f"| `{limits.BUDGET}NAME` | Used part of a budget | share, as a percentage |\n"
    made = f"<!-- measures -->\n| measure | what it is | unit |\n|---|---|---|\n{rows}<!-- /measures -->\n"
    text = (ROOT / "docs/check.md").read_text(encoding="utf-8")
    return re.sub(r"<!-- measures -->\n.*<!-- /measures -->\n", lambda _: made, text, flags=re.DOTALL)


UNITS = {limits.SHARE: "share", limits.USD: "dollars", limits.TOKENS: "tokens", limits.COUNT: "number"}
"""Units of measures in words."""


def _shell(command: str, folder: Path) -> str:
    return run(Step(command, None, None), folder)


GENERATED = {
    "docs/check.md": check_page,
    "docs/exit-codes.md": exit_codes,
    "docs/formats.md": format_pages.formats_page,
    "docs/mapping.md": lambda: format_pages.mapping_page(_shell),
    "docs/queries.md": query_pages,
    "docs/schemas/check.json": schemas.check_schema,
    "docs/schemas/explain.json": schemas.explanation_schema,
    "docs/schemas/report.json": schemas.report_schema,
    "docs/schemas/whatif.json": schemas.whatif_schema,
    "docs/whatif.md": whatif_page,
}
"""Pages that are made whole."""

MARKED = {"formats": format_pages.summary}
"""Parts of README.md that are made whole."""


def with_marked_parts(text: str) -> str:
    """Return README.md's text with the marked parts made again."""
    for name, make in MARKED.items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->\n")
        if not begin or not end:
            raise RuntimeError(f"README.md has no part <!-- {name} --> ... <!-- /{name} -->")
        text = f"{before}{begin}{make()}{end}{after}"
    return text


def write_readme(folder: Path) -> None:
    """Run README.md's main job and tour in `folder`, which holds SAMPLES, and write their output into README.md."""
    README.write_text(with_marked_parts(README.read_text(encoding="utf-8")), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    made = [(main_job(), run(main_job(), folder))]
    made += [(step, run(step, folder)) for step in steps()[2:]]
    for step, output in reversed(made):
        if step.span is not None and steady(cut(output, step.shown or "")) != steady(step.shown or ""):
            text = text[: step.span[0]] + cut(output, step.shown or "") + text[step.span[1] :]
    README.write_text(text, encoding="utf-8")


def main() -> None:
    """Write every generated page and the output in README.md."""
    for name, make in GENERATED.items():
        (ROOT / name).write_text(make(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name in SAMPLES:
            shutil.copytree(ROOT / name, Path(folder) / name)
        write_readme(Path(folder))


if __name__ == "__main__":
    main()
