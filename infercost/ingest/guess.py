"""Guesses which key of an unknown log holds which column, by its name and by the values in a sample."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from infercost.ingest import mapping_paths
from infercost.ingest.mapping_columns import CHOICES, KINDS

_DEPTH = 8
_MOST = 0.6
_MOST_DISTINCT = 0.8
_SOME = 0.3

NAMES: Mapping[str, tuple[str, ...]] = {
    "started_at": (
        *("startedat", "starttime", "startat", "requesttime", "requestedat", "createdat", "timestamp", "datetime"),
        *("timegenerated", "eventtime", "created", "start", "time", "date", "ts", "at"),
    ),
    "ended_at": ("endedat", "endtime", "finishedat", "completedat", "responsetime", "end"),
    "id": (
        "requestid",
        "callid",
        "generationid",
        "eventid",
        "recordid",
        "xrequestid",
        "reqid",
        "uuid",
        "id",
        "rid",
        "call",
    ),
    "request_model": ("requestmodel", "requestedmodel", "modelrequested", "modelgroup"),
    "response_model": ("responsemodel", "servedmodel", "upstreammodel", "modelused", "usedmodel", "responsemodelname"),
    "model": ("model", "modelname", "modelid", "llmmodel"),
    "provider_name": ("provider", "providername", "vendor", "llmprovider", "modelprovider"),
    "input_tokens": (
        *("inputtokens", "prompttokens", "tokensin", "tokensprompt", "tokensinput", "inputtokencount", "tokenin"),
        *("prompttokencount", "inputtoken", "prompttoken", "requesttokens", "requnits", "usageprompt", "usageinput"),
        *("usagein", "intokens", "promptusage", "inputusage"),
    ),
    "cache_read_tokens": (
        *("cachedtokens", "cachereadtokens", "cachereadinputtokens", "inputcachedtokens", "cachedinputtokens"),
        *("tokenscached", "tokenscacheread", "cachehittokens", "usagecached", "usagecacheread", "inputcached"),
        *("cachedtokencount", "cachedcontenttokencount", "inputtokenscached", "inputtokenscacheread"),
    ),
    "cache_write_tokens": (
        *("cachewritetokens", "cachecreationtokens", "cachecreationinputtokens", "cachewriteinputtokens"),
        *("tokenscachewrite", "usagecachewrite", "cachecreatedtokens", "inputtokenscachewrite"),
    ),
    "output_tokens": (
        *("outputtokens", "completiontokens", "tokensout", "tokenscompletion", "tokensoutput", "outputtokencount"),
        *("completiontokencount", "outputtoken", "completiontoken", "responsetokens", "resunits", "generatedtokens"),
        *("candidatestokencount", "usagecompletion", "usageoutput", "usageout", "outtokens", "tokenout"),
    ),
    "reasoning_tokens": (
        *("reasoningtokens", "thinkingtokens", "thoughtstokens", "thoughtstokencount", "usagereasoning"),
        *("tokensreasoning", "outputreasoning", "outputtokensreasoning"),
    ),
    "reported_cost": (
        *("totalcost", "responsecost", "requestcost", "cost", "spend", "price", "amount", "charge", "usagecost"),
    ),
    "duration_seconds": ("duration", "latency", "elapsed", "took", "totaltime", "responsetime", "totallatency"),
    "time_to_first_token_seconds": ("ttft", "timetofirsttoken", "firsttoken", "firsttokenlatency"),
    "status": ("status", "outcome", "result", "success", "succeeded", "ok"),
    "http_status": ("httpstatus", "statuscode", "responsecode", "httpstatuscode", "responsestatus", "status", "code"),
    "error_type": ("errortype", "errorcode", "errorclass", "errorname", "errorkind", "error"),
    "stream": ("stream", "streaming", "streamed", "isstream", "isstreaming"),
    "gateway_cache": ("cachestatus", "gatewaycache", "cachehit", "cacheresult", "cache"),
    "user_id": ("userid", "user", "enduser", "enduserid", "customerid"),
    "api_key_id": ("apikeyid", "apikeyhash", "keyid", "virtualkeyid"),
    "api_key_name": ("apikeyname", "apikeyalias", "keyname", "virtualkey"),
    "team_name": ("team", "teamname", "teamalias", "department"),
    "response_id": ("responseid", "completionid"),
    "trace_id": ("traceid",),
    "session_id": ("sessionid", "conversationid", "threadid"),
    "endpoint": ("endpoint", "path", "route", "url", "uri", "requesturl", "requestpath"),
    "operation_name": ("operation", "operationname", "calltype", "requesttype"),
    "deployment": ("deployment", "deploymentname", "backend", "upstream", "upstreamcluster"),
    "region": ("region", "location"),
    "service_tier": ("servicetier",),
    "attempt_number": ("attempt", "attemptnumber", "attemptindex", "retryattempt"),
}
"""Names that logs have for a column, without capitals, signs and units; a longer one is better, then an earlier one."""

TAGS = ("feature", "cohort", "app", "application", "product", "project", "tenant", "customer", "environment", "env")
BAGS = ("tags", "labels", "metadata", "meta", "custom", "attributes", "properties", "dimensions")
TOTAL = ("totaltokens", "tokenstotal", "totaltokencount", "totalunits", "usagetotal")

TIME_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "usec", "micros", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds"), "ns"),
}
MONEY_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("usd", "dollar", "dollars"), "usd"),
    **dict.fromkeys(("cent", "cents"), "cents"),
    **dict.fromkeys(("micro", "micros", "microusd", "microdollars"), "microdollars"),
    **dict.fromkeys(("nano", "nanos", "nanousd", "nanodollars"), "nanodollars"),
}
_OTHER_UNITS = ("utc", "unix", "epoch", "iso", "8601", "count")
_MODELS = {"model", "request_model", "response_model"}
_MODEL = re.compile(
    r"(.*[/.])?(gpt|o[134]|claude|gemini|gemma|llama|mi[sx]tral|command|deepseek|qwen|grok|nova|titan|text-embedding)-",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TIME_RANGES = ((1e9, 1e11, "s"), (1e11, 1e14, "ms"), (1e14, 1e17, "us"), (1e17, 1e20, "ns"))
LAYOUTS = (
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S.%f",
    "%d.%m.%Y %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S %z",
)
"""Ways to write a time that are not ISO 8601 and are the same for Python and DuckDB."""

STATUS_WORDS: Mapping[str, Mapping[str, str]] = {
    "status": {
        **dict.fromkeys(("ok", "success", "succeeded", "successful", "true", "completed", "complete", "done"), "ok"),
        **dict.fromkeys(("cancelled", "canceled", "aborted"), "cancelled"),
        **dict.fromkeys(("error", "failed", "failure", "fail", "false", "timeout", "timed_out", "rejected"), "error"),
    },
    "gateway_cache": {
        **dict.fromkeys(("hit", "true", "cached", "yes"), "hit"),
        **dict.fromkeys(("miss", "false", "bypass", "disabled", "none", "no", "refresh"), "miss"),
        **dict.fromkeys(("exact", "exact hit", "exact_hit"), "exact"),
        **dict.fromkeys(("semantic", "semantic hit", "semantic_hit"), "semantic"),
    },
}
"""What logs write for a choice."""


@dataclass(frozen=True)
class Leaf:
    """A path of the sample and the values that its records have there."""

    path: str
    keys: tuple[str, ...]
    values: tuple[Any, ...]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the path: `usage.promptTokens` has usage, prompt and tokens."""
        return tuple(word.lower() for key in self.keys for word in _WORD.findall(key))

    @cached_property
    def names(self) -> frozenset[str]:
        """What the path may be called: its last words as one, one or more of them, with and without a unit."""
        short = len(self.words)
        while short > 1 and self.words[short - 1] in {*TIME_WORDS, *MONEY_WORDS, *_OTHER_UNITS}:
            short -= 1
        return frozenset(
            "".join(self.words[first:stop]) for stop in range(short, len(self.words) + 1) for first in range(stop)
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as the engine sees them."""
        return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in self.values)

    def unit_of(self, units: Mapping[str, str]) -> str | None:
        """Return the unit that the last words of the path name: `cost_micro_usd` is in microdollars."""
        ends = ["".join(self.words[-2:]), *self.words[-1:]]
        return next((units[end] for end in ends if end in units), None)


def leaves(records: Sequence[Mapping[str, Any]]) -> list[Leaf]:
    """Return every path of the records that leads to values, in the order of the first record that has it."""
    found: dict[tuple[str, ...], list[Any]] = {}
    for record in records:
        for keys, value in walk(record):
            found.setdefault(keys, []).append(value)
    return [Leaf(path_of(keys), keys, tuple(values)) for keys, values in found.items()]


def path_of(keys: Sequence[str]) -> str:
    """Return the path of keys as a mapping file has it; a dotted key at the top of a record needs no quotes."""
    if len(keys) == 1 and "." in keys[0] and mapping_paths.is_path(keys[0]):
        return keys[0]
    return mapping_paths.written(keys)


def walk(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the keys and the value of everything in a record that is neither an object nor a list."""
    inner = _object_in(value) if keys else value
    if isinstance(inner, dict):
        if len(keys) < _DEPTH:
            for key, each in inner.items():
                # What has no letters that can be written down is nothing that a file can name.
                if key and key.isprintable() and key.encode("utf-8", "ignore").decode() == key:
                    yield from walk(each, (*keys, key))
    elif value is not None and value != "" and not isinstance(value, list):
        yield keys, value


def _object_in(value: Any) -> Any:
    """Return the object that a text holds, as cells of tables do."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def choose(found: Sequence[Leaf], records: int) -> dict[str, Leaf]:
    """Return the best leaf of each column: the one with the longest name that fits, whose values fit as well."""
    matches = [
        (-len(name), place, len(leaf.keys), order, column, leaf)
        for order, leaf in enumerate(found)
        for column, names in NAMES.items()
        for place, name in enumerate(names)
        if name in leaf.names and _fits(column, leaf, records)
    ]
    most = {column: max(len(match[-1].values) for match in matches if match[-2] == column) for *_, column, _ in matches}
    # A key that few records have, of a provider among many, comes after one that most have.
    matches.sort(
        key=lambda match: (
            2 * len(match[-1].values) < most[match[-2]],
            match[-2] in _MODELS and not _names_models(match[-1]),
            match[:4],
        )
    )
    chosen: dict[str, Leaf] = {}
    for *_, column, leaf in matches:
        if column not in chosen and leaf.path not in {each.path for each in chosen.values()}:
            chosen[column] = leaf
    free = [leaf for leaf in found if leaf.path not in {each.path for each in chosen.values()}]
    chosen |= _by_values(free, chosen, records)
    return {column: chosen[column] for column in NAMES if column in chosen}


def _by_values(free: Iterable[Leaf], chosen: Mapping[str, Leaf], records: int) -> dict[str, Leaf]:
    """Return the leaf of the time and of the model where no name told of them, by what the values look like."""
    times = [
        leaf
        for leaf in free
        if len(leaf.values) >= _MOST * records and all(time_unit(text) is not None for text in leaf.texts)
    ]
    models = [
        leaf for leaf in free if sum(_MODEL.match(text) is not None for text in leaf.texts) >= _MOST * len(leaf.texts)
    ]
    found: dict[str, Leaf] = {}
    if times and "started_at" not in chosen:
        found["started_at"] = times[0]
    if models and not _MODELS & set(chosen):
        found["model"] = models[0]
    return found


def _names_models(leaf: Leaf) -> bool:
    return sum(_MODEL.match(text) is not None for text in leaf.texts) >= _MOST * len(leaf.texts)


def _fits(column: str, leaf: Leaf, records: int) -> bool:
    """Return whether most values are what the column holds; a log may have broken records too."""
    if column == "id":
        # A user or an app has an id as well; that of a call is another one in nearly every record.
        return len(set(leaf.texts)) >= _MOST_DISTINCT * len(leaf.texts) >= _MOST_DISTINCT * _SOME * records
    if column == "started_at" and len(leaf.values) < _SOME * records:
        return False
    test = _TESTS.get(column) or _TESTS_OF_KIND[KINDS[column]]
    fits = [test(text) for text in leaf.texts]
    return sum(fits) >= _MOST * len(fits)


def time_unit(text: str) -> str | None:
    """Return the unit of a time: s, ms, us, ns, "text" (ISO 8601), or the layout of another text; None for no time."""
    if re.fullmatch(r"\d+(\.\d+)?(e\+?\d+)?", text):
        return next((unit for low, high, unit in _TIME_RANGES if low <= float(text) < high), None)
    if is_iso(text):
        return "text"
    return next((layout for layout in LAYOUTS if _is_time(text, layout)), None)


def is_iso(text: str) -> bool:
    """Return whether a text is a time as ISO 8601 has it."""
    try:
        datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return False
    return not text.isdigit()


def _is_time(text: str, layout: str) -> bool:
    try:
        datetime.strptime(text, layout)  # noqa: DTZ007 - only asked whether it can be read
    except ValueError:
        return False
    return True


def is_number(text: str) -> bool:
    """Return whether a text is a number or an amount of dollars."""
    return re.fullmatch(r"\$? ?-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE) is not None


def _is_whole(text: str) -> bool:
    return re.fullmatch(r"\d+(\.0+)?", text) is not None


def _is_word(text: str) -> bool:
    return len(text) < 200 and not is_number(text)


def is_known(column: str, text: str) -> bool:
    """Return whether a word is one that logs usually write for a choice."""
    return text.lower() in {*STATUS_WORDS[column], *CHOICES[column]}


_TESTS: Mapping[str, Callable[[str], bool]] = {
    **dict.fromkeys(("model", "request_model", "response_model", "provider_name", "operation_name"), _is_word),
    "http_status": lambda text: re.fullmatch(r"[1-5]\d\d(\.0)?", text) is not None,
    "error_type": lambda text: len(text) < 100 and text not in ("true", "false"),
    "status": lambda text: is_known("status", text),
    "gateway_cache": lambda text: is_known("gateway_cache", text),
}
_TESTS_OF_KIND: Mapping[str, Callable[[str], bool]] = {
    "text": lambda text: len(text) < 400 and text not in ("true", "false"),
    "time": lambda text: time_unit(text) is not None,
    "seconds": is_number,
    "money": is_number,
    "whole": _is_whole,
    "flag": lambda text: text.lower() in ("true", "false", "yes", "no", "0", "1"),
}


def numbers(record: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> list[float | None]:
    """Return the numbers of a record at paths, None where there is none."""
    found = dict(walk(record))
    values: list[float | None] = []
    for keys in paths:
        try:
            values.append(float(found[keys]))
        except (KeyError, TypeError, ValueError):
            values.append(None)
    return values
