"""Makes 60 days of logs of a small company, with a cost incident in them whose truth is known.

Usage: python sample_logs/generate.py [--out sample_logs] [--seed N]. The same seed gives the same bytes.
README.md beside this file says what is in the sample.
"""

import argparse
import csv
import gzip
import io
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import claude_code
import litellm_logs
import otlp
import spend_logs
import zstandard
from company import CURRENT_FROM, DAYS, FIRST_DAY, LAST_DAY, when
from prices import Tokens, dollars
from traffic import CAUSES, FEATURES, OLD_PROXY, Cause, Request, requests

SEED = 20261118
TRUTH = Path(__file__).parents[1] / "tests" / "data" / "sample_truth.json"
UNATTRIBUTED = "(unattributed)"
GENERATED = ("gateway", "agents", "otel")
_THIS_MONTH = date(2026, 11, 1)
_PLAIN_DAYS = {date(2026, 9, 27): "jsonl", date(2026, 10, 11): "json"}
"""Days whose file is not compressed: somebody fetched them by hand, one as JSON Lines, one as a JSON array."""


@dataclass
class Totals:
    """What one format's files add up to. Costs are picodollars."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    hit_tokens: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: int = 0
    avoided: int = 0
    by_feature: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    requests_by_feature: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    daily: dict[tuple[date, str], int] = field(default_factory=lambda: defaultdict(int))

    def call(self, started: int, feature: str, tokens: Tokens, picodollars: int) -> None:
        """Add one call of a model that started at a moment (epoch microseconds)."""
        for kind, count in tokens.by_kind().items():
            self.tokens[kind] += count
        self.cost += picodollars
        self.by_feature[feature] += picodollars
        self.daily[when(started).date(), feature] += picodollars

    def gateway_hit(self, tokens: Tokens, avoided: int) -> None:
        """Add an answer of the gateway's own cache: it costs nothing and saves what the call would have cost."""
        for kind, count in tokens.by_kind().items():
            self.hit_tokens[kind] += count
        self.avoided += avoided

    def as_json(self) -> dict[str, Any]:
        """Return the totals as plain data, amounts as exact decimal texts."""
        return {
            **self.counts,
            "tokens": dict(self.tokens),
            "gateway_hit_tokens": dict(self.hit_tokens),
            "cost": dollars(self.cost),
            "avoided_cost": dollars(self.avoided),
            "cost_by_feature": {name: dollars(cost) for name, cost in sorted(self.by_feature.items())},
            "requests_by_feature": dict(sorted(self.requests_by_feature.items())),
        }


def main() -> None:
    """Write the sample and its truth, and say how large it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--truth", type=Path, default=TRUTH, help="file to write the truth to")
    parser.add_argument("--seed", type=int, default=SEED, help=f"number that everything follows from ({SEED})")
    arguments = parser.parse_args()
    generate(arguments.out, arguments.truth, arguments.seed)
    files = [path for name in GENERATED for path in sorted((arguments.out / name).rglob("*")) if path.is_file()]
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files):,} bytes in {arguments.out}")


def generate(out: Path, truth_file: Path, seed: int) -> None:
    """Write the log folders below `out`, replacing those of an earlier run, and the truth to `truth_file`."""
    for name in GENERATED:
        shutil.rmtree(out / name, ignore_errors=True)
    everything = frozenset(CAUSES)
    main_proxy = list(requests(seed, FEATURES, everything))
    old_proxy = list(requests(seed, OLD_PROXY, everything))
    transcripts = claude_code.transcripts(seed)
    runs = list(otlp.runs(seed))
    _write_litellm(out / "gateway" / "litellm", main_proxy)
    _write_spend_logs(out / "gateway" / "spendlogs" / "spend_logs.csv.zst", old_proxy)
    for path, text in transcripts.files.items():
        _write(out / "agents" / "claude-code" / "projects" / path, text.encode())
    _write_traces(out / "otel", runs)
    totals = {
        "litellm": gateway_totals(main_proxy, rows=False),
        "litellm-spendlogs": gateway_totals(old_proxy, rows=True),
        "claude-code": _transcript_totals(transcripts),
        "otlp": _trace_totals(runs),
    }
    truth = {
        "seed": seed,
        "first_day": str(FIRST_DAY),
        "last_day": str(LAST_DAY),
        "currency": "USD",
        "formats": {name: total.as_json() for name, total in totals.items()},
        "daily_cost_by_feature": _daily(totals.values()),
        "incident": _incident(seed, totals.values()),
    }
    _write(truth_file, (json.dumps(truth, indent=1) + "\n").encode())


def gateway_totals(traffic: Iterable[Request], *, rows: bool) -> Totals:
    """Return what gateway traffic adds up to; SpendLogs `rows` show the final outcome of a request only."""
    totals = Totals()
    for request in traffic:
        name = request.feature.name or UNATTRIBUTED
        logged = (request.final,) if rows else request.attempts
        counts = totals.counts
        counts["requests"] += 1
        counts["records"] += len(logged)
        counts["attempts"] += len(logged)
        counts["failed_attempts"] += sum(attempt.failure is not None for attempt in logged)
        counts["failed_requests"] += request.outcome == "failed"
        counts["cancelled"] += request.outcome == "cancelled"
        counts["retries_told"] += 0 if request.stream and not rows else request.retries
        counts["fallbacks"] += request.fallbacks
        counts["streamed"] += request.stream
        counts["gateway_hits"] += request.outcome == "hit"
        counts["unpriced_attempts"] += request.final.model.rates.model == "" and request.final.failure is None
        counts["unattributed_attempts"] += len(logged) if not request.feature.name else 0
        if rows and request.final.failure:
            counts["estimated_prompt_tokens_of_failures"] += spend_logs.estimated_prompt(request)
        totals.requests_by_feature[name] += 1
        if request.outcome == "hit":
            totals.gateway_hit(request.final.tokens, request.avoided)
            continue
        for attempt in logged:
            totals.call(attempt.started, name, attempt.tokens, attempt.model.rates.cost(attempt.tokens))
    return totals


def _transcript_totals(transcripts: claude_code.Transcripts) -> Totals:
    totals = Totals()
    for answer in transcripts.answers:
        totals.requests_by_feature[answer.project] += 1
        totals.call(answer.started, answer.project, answer.tokens, answer.picodollars)
    totals.counts |= {
        "answers": len(transcripts.answers),
        "requests": len(transcripts.answers) + transcripts.error_lines,
        "attempts": len(transcripts.answers) + transcripts.error_lines,
        "failed_attempts": transcripts.error_lines,
        "files": len(transcripts.files),
        "answer_lines": transcripts.answer_lines,
        "api_error_lines": transcripts.error_lines,
        "other_lines": transcripts.other_lines,
        "broken_lines": transcripts.broken_lines,
    }
    return totals


def _trace_totals(runs: Iterable[otlp.Run]) -> Totals:
    totals = Totals()
    for run in runs:
        totals.counts["traces"] += 1
        totals.counts["spans"] += sum(
            len(scope["spans"]) for part in run.line["resourceSpans"] for scope in part["scopeSpans"]
        )
        for call in run.calls:
            # The last HTTP attempt of a call is the model span itself; those before it failed and stand alone.
            failed_before = call.tries - 1 if call.http_logged else 0
            totals.counts["requests"] += 1
            totals.counts["attempts"] += 1 + failed_before
            totals.counts["failed_attempts"] += call.failed + failed_before
            totals.counts["model_spans"] += 1
            totals.counts["failed_model_spans"] += call.failed
            totals.counts["http_attempts_logged"] += call.tries if call.http_logged else 0
            totals.counts["http_failures_logged"] += call.tries - (not call.failed) if call.http_logged else 0
            totals.requests_by_feature[otlp.FEATURE] += 1
            totals.call(call.started, otlp.FEATURE, call.tokens, call.picodollars)
    return totals


def _daily(formats: Iterable[Totals]) -> dict[str, dict[str, str]]:
    """Return cost by UTC day and feature, over all formats."""
    cells: dict[str, dict[str, int]] = {str(day): defaultdict(int) for day in DAYS}
    for totals in formats:
        for (day, feature), cost in totals.daily.items():
            cells.setdefault(str(day), defaultdict(int))[feature] += cost
    return {day: {name: dollars(cost) for name, cost in sorted(row.items())} for day, row in cells.items()}


def _incident(seed: int, formats: Iterable[Totals]) -> dict[str, Any]:
    """Return the windows' costs and each cause's dollars: the same seed with the cause alone, less without any."""
    windows = {"base": 0, "current": 0}
    for totals in formats:
        for (day, _), cost in totals.daily.items():
            windows["current" if day >= CURRENT_FROM else "base"] += cost
    rise = windows["current"] - windows["base"]
    nothing, everything = _worth(seed, frozenset()), _worth(seed, frozenset(CAUSES))
    causes = {cause: _worth(seed, frozenset({cause})) - nothing for cause in CAUSES}
    return {
        "base": [str(FIRST_DAY), str(CURRENT_FROM)],
        "current": [str(CURRENT_FROM), str(date.fromordinal(LAST_DAY.toordinal() + 1))],
        "base_cost": dollars(windows["base"]),
        "current_cost": dollars(windows["current"]),
        "rise": dollars(rise),
        "causes": [_cause(cause, cost, rise) for cause, cost in causes.items()],
        "all_causes_together": dollars(everything - nothing),
        "rest": dollars(rise - (everything - nothing)),
        "rest_is": "one working day more in the current window, and chance",
    }


def _worth(seed: int, causes: frozenset[Cause]) -> int:
    """Return the main gateway's cost over all days in a world with these causes, in picodollars."""
    return sum(request.picodollars for request in requests(seed, FEATURES, causes))


def _cause(cause: Cause, cost: int, rise: int) -> dict[str, Any]:
    return {
        "name": cause.name,
        "feature": cause.feature,
        "driver": cause.driver,
        "starts": str(cause.starts),
        "what": cause.story,
        "dollars": dollars(cost),
        "share_of_rise": round(cost / rise, 4),
    }


def _write_litellm(folder: Path, traffic: Iterable[Request]) -> None:
    """Write one file a day; those of earlier months are packed tighter."""
    days: dict[date, list[Request]] = {day: [] for day in DAYS}
    for request in traffic:
        days[when(request.attempts[0].started).date()].append(request)
    for day, asked in days.items():
        asked.sort(key=lambda request: request.final.ended)
        records = [record for request in asked for record in litellm_logs.payloads(request)]
        shape = _PLAIN_DAYS.get(day)
        if shape == "json":
            _write(folder / f"{day}.json", (json.dumps(records) + "\n").encode())
        elif shape == "jsonl":
            _write(folder / f"{day}.jsonl", _json_lines(records))
        elif day < _THIS_MONTH:
            _write(folder / f"{day}.jsonl.zst", _zstd(_json_lines(records)))
        else:
            # No name and no time in the header, so that the bytes depend on the records alone.
            _write(folder / f"{day}.jsonl.gz", gzip.compress(_json_lines(records), 9, mtime=0))


def _write_spend_logs(path: Path, traffic: Iterable[Request]) -> None:
    rows = sorted((spend_logs.row(request) for request in traffic), key=lambda row: str(row["endTime"]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, spend_logs.COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write(path, _zstd(text.getvalue().encode()))


def _write_traces(folder: Path, runs: Iterable[otlp.Run]) -> None:
    months: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        months[f"{run.day:%Y-%m}"].append(run.line)
    for month, lines in months.items():
        _write(folder / f"traces-{month}.jsonl.zst", _zstd(_json_lines(lines, compact=True)))


def _json_lines(records: Iterable[dict[str, Any]], *, compact: bool = False) -> bytes:
    separators = (",", ":") if compact else (", ", ": ")
    return "".join(json.dumps(record, separators=separators) + "\n" for record in records).encode()


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=12).compress(content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    main()
