"""`infercost explain-cost`: the arithmetic behind one attempt's cost."""

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import config
from infercost.cli.options import ConfigOption, OutputOption, StoreOption, open_store

if TYPE_CHECKING:
    from infercost.analyze.explain_cost import CostExplanation


class ExplainFormat(StrEnum):
    """How an explanation is drawn."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


def explain_cost(
    attempt: Annotated[
        str, typer.Argument(metavar="ATTEMPT", help="attempt_id, a beginning that only one has, or response_id.")
    ],
    form: Annotated[
        ExplainFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(ExplainFormat)}.")
    ] = ExplainFormat.TERMINAL,
    output: OutputOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Show how an attempt's cost comes about: every token kind by its rate, exact, and why that price row.

    An attempt without a cost: what is missing.

    Examples:
    infercost explain-cost 5a280a3d
    infercost explain-cost chatcmpl-1592408413b7 --format json
    """
    from infercost.analyze import explain_cost as analysis
    from infercost.analyze.database import connect
    from infercost.cli.output import write_text

    settings = config.load(settings_file)
    with connect(open_store(store, settings)) as connection:
        found = analysis.explain_cost(connection, settings, attempt)
    if form is ExplainFormat.TERMINAL and output is None:
        _print(found)
    else:
        write_text(_text(found, form), output)


def _text(found: "CostExplanation", form: ExplainFormat) -> str:
    from infercost.cli import values
    from infercost.render import cost

    if form is ExplainFormat.JSON:
        return json.dumps(values.plain(_lists(asdict(found))), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return cost.markdown(found)


def _lists(value: object) -> object:
    if isinstance(value, dict):
        return {name: _lists(each) for name, each in value.items()}
    return [_lists(each) for each in value] if isinstance(value, list | tuple) else value


def _print(found: "CostExplanation") -> None:
    from infercost.cli.tables import print_table, print_terms
    from infercost.render import cost

    facts, verdict = cost.facts(found), cost.verdict(found)
    width = max(len(label) for label, _ in [*facts, *verdict])
    print_terms(facts, width=width)
    for title, used in cost.sums(found):
        sys.stdout.write("\n")
        rows = [*(cost.line_cells(line) for line in used.lines), cost.total_cells(used)]
        print_table([f"{cost.COLUMNS[0]} ({title})", *cost.COLUMNS[1:]], rows, footer=True, right=(1, 2, 3))
    sys.stdout.write("\n")
    print_terms(verdict, width=width)
