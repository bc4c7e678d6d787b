"""The contract of tables: every column of the store, with its type and unit, is defined here and nowhere else.

Names follow the OpenTelemetry GenAI conventions and FOCUS where those have one. Types are DuckDB types.
"""

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 3
"""Version of the store's tables. 1: first version; 2: weight, grain, contradiction, web searches; bill lines in full;
3: the tables set_aside and links; prices by region and scope, fees per request, the rule behind a cost.

A store of an older version is read as it is (a column that it lacks is NULL) and grows the new columns on writing.
"""

MONEY = "DECIMAL(18,12)"
"""US dollars, exact to the picodollar (1 USD per million tokens = 1,000,000 picodollars per token)."""

PICODOLLARS_PER_DOLLAR = 10**12

Origin = Literal["log", "ingest", "attribution", "pricing"]


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, DuckDB type, who fills it, and what it means (with the unit)."""

    name: str
    type: str
    origin: Origin
    doc: str


TOKEN_KINDS: tuple[str, ...] = (
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_30m",
    "cache_write_1h",
    "cache_write_12h",
    "input_audio",
    "input_image",
    "output_text",
    "reasoning",
    "output_audio",
    "output_image",
)
"""Disjoint kinds of billed tokens; `<kind>_tokens` counts them and `<kind>_cost` prices them."""

INPUT_KINDS = TOKEN_KINDS[:8]
OUTPUT_KINDS = TOKEN_KINDS[8:]

STATUSES = ("ok", "error", "cancelled")
USAGE_SOURCES = ("reported", "estimated", "missing")
GATEWAY_CACHE = ("exact", "semantic", "hit", "miss")
GRAINS = ("attempt", "request", "bucket")
"""What one record of a log is: one call of a model; one client request with its retries folded in; a sum over time."""

PRICE_BASES = ("book", "override", "derived", "extrapolated", "pool", "rule")
"""Where a price comes from. book: a row of the price book; override: the user's own; derived: from another lane or tier
in the proportion of their base prices; extrapolated: from the same lane at a later time; pool: a share of capacity that costs the same however much it is used;
rule: no price was needed."""

PRICE_RULES: dict[str, str] = {
    "gateway_cache_hit": "answered by the gateway's own cache: costs nothing",
    "not_billed": "refused or failed in a way that its provider does not bill: costs nothing",
    "no_tokens": "failed and logged with zero tokens: costs nothing",
    "standard_lane": "the book has no price of the service tier: priced as standard",
    "pool_share": "a share of what its pool costs in that hour, by the weight of its tokens",
    "fee_unknown": "web searches were made for which the book has no fee: the cost is that of the tokens alone",
}
"""Rules that can stand behind a cost beside its price row, `price_rule`."""

FEES: tuple[str, ...] = ("web_search", "request")
"""What is billed by the piece: `<fee>_fee` prices one; a web search is counted by web_search_requests, a request is the
attempt itself."""

DIMENSIONS: tuple[str, ...] = (
    "feature",
    "cohort",
    "team",
    "route",
    "model_tier",
    "endpoint",
    "provider_name",
    "request_model",
    "response_model",
    "gateway",
    "format",
    "operation_name",
    "service_tier",
    "status",
    "error_type",
    "gateway_cache",
)
"""Columns that reports and queries may group by, and that make up the cells."""

ATTRIBUTED: tuple[str, ...] = ("feature", "cohort", "team", "route", "model_tier")
"""Columns that attribution rules fill; what no rule catches is UNATTRIBUTED."""

UNATTRIBUTED = "(unattributed)"


def _token_columns() -> tuple[Column, ...]:
    return tuple(
        Column(
            f"{kind}_tokens",
            "BIGINT",
            "log",
            f"{kind.replace('_', ' ')} tokens, disjoint from every other kind; NULL = unknown",
        )
        for kind in TOKEN_KINDS
    )


def _cost_columns() -> tuple[Column, ...]:
    return tuple(
        Column(f"{kind}_cost", MONEY, "pricing", f"effective cost of the {kind.replace('_', ' ')} tokens, USD")
        for kind in TOKEN_KINDS
    )


ATTEMPTS: tuple[Column, ...] = (
    Column(
        "attempt_id", "VARCHAR", "ingest", "dedupe key: md5 of the format family and the key that its declaration names"
    ),
    Column("request_id", "VARCHAR", "log", "what the application asked once; retries and fallbacks share it"),
    Column("attempt_number", "INTEGER", "log", "1 for the first attempt the log shows or tells of; NULL = unknown"),
    Column(
        "unlogged_attempts", "INTEGER", "log", "failed attempts that the log tells of without a record of their own"
    ),
    Column("response_id", "VARCHAR", "log", "the provider's id of the answer"),
    Column("trace_id", "VARCHAR", "log", "trace of the log's own tracing"),
    Column("session_id", "VARCHAR", "log", "conversation or session of the application"),
    Column("started_at", "TIMESTAMPTZ", "log", "start of the attempt, UTC, microseconds"),
    Column("duration_seconds", "DOUBLE", "log", "seconds from start to end of the attempt"),
    Column("time_to_first_token_seconds", "DOUBLE", "log", "seconds to the first token; NULL unless streamed"),
    Column("format", "VARCHAR", "ingest", "name of the log format"),
    Column("gateway", "VARCHAR", "log", "program that wrote the log"),
    Column("operation_name", "VARCHAR", "log", "chat, embeddings, responses, ... (gen_ai.operation.name)"),
    Column("endpoint", "VARCHAR", "log", "route of the API that the client called"),
    Column("provider_name", "VARCHAR", "log", "provider that answered (gen_ai.provider.name)"),
    Column("deployment", "VARCHAR", "log", "deployment, base URL or key pool behind the provider"),
    Column("region", "VARCHAR", "log", "region or geography of the provider"),
    Column(
        "service_tier", "VARCHAR", "log", "tier that served: standard, batch, flex, priority, fast; NULL = standard"
    ),
    Column("stream", "BOOLEAN", "log", "answered as a stream; NULL = unknown"),
    Column("request_model", "VARCHAR", "log", "model or model group that was asked for"),
    Column("response_model", "VARCHAR", "log", "model that answered"),
    Column("price_model", "VARCHAR", "log", "model string that the price is looked up with"),
    Column("model_tier", "VARCHAR", "attribution", "tier of the model by the configuration, such as frontier or small"),
    Column(
        "routing_path", "VARCHAR", "log", "model groups that this record says were tried, in order, joined by ' > '"
    ),
    Column("route", "VARCHAR", "attribution", "named route by the rules"),
    Column("is_retry", "BOOLEAN", "log", "this attempt repeats an earlier one on the same route"),
    Column("is_fallback", "BOOLEAN", "log", "this attempt went to another model group than the one asked for"),
    Column("feature", "VARCHAR", "attribution", "product feature by the rules"),
    Column("cohort", "VARCHAR", "attribution", "customer group by the rules"),
    Column("team", "VARCHAR", "attribution", "owning team by the rules"),
    Column("team_name", "VARCHAR", "log", "team as the log names it"),
    Column(
        "user_id", "VARCHAR", "log", "end user; hashed with the store's salt unless the configuration says otherwise"
    ),
    Column(
        "api_key_id", "VARCHAR", "log", "API key; hashed with the store's salt unless the configuration says otherwise"
    ),
    Column("api_key_name", "VARCHAR", "log", "alias of the API key"),
    Column("tags", "MAP(VARCHAR, VARCHAR)", "log", "tags and metadata of the application; a bare tag has the value ''"),
    *_token_columns(),
    Column("input_tokens", "BIGINT", "ingest", "sum of the input kinds, cache included; NULL = unknown"),
    Column("output_tokens", "BIGINT", "ingest", "sum of the output kinds, reasoning included; NULL = unknown"),
    Column("usage_source", "VARCHAR", "log", "reported, estimated (by the gateway) or missing"),
    Column("web_search_requests", "BIGINT", "log", "web searches of the provider's server tool, billed per request"),
    Column("contradiction", "VARCHAR", "log", "what in the record contradicts its format's rules; NULL = nothing"),
    Column("weight", "DOUBLE", "log", "calls that the record stands for in a sampled export; NULL = one"),
    Column("grain", "VARCHAR", "ingest", "attempt, or request where the log folds retries into one record"),
    Column("status", "VARCHAR", "log", "ok, error or cancelled"),
    Column("error_type", "VARCHAR", "log", "class of the error"),
    Column("http_status", "INTEGER", "log", "HTTP status of the provider's answer"),
    Column("gateway_cache", "VARCHAR", "log", "exact, semantic, hit (kind not told), miss; NULL = unknown"),
    Column("list_cost", MONEY, "pricing", "cost by the price book, USD; 0 for a gateway cache hit; NULL = unpriced"),
    Column(
        "effective_cost", MONEY, "pricing", "list cost after the user's own prices and discounts, USD; NULL = unpriced"
    ),
    Column("reported_cost", MONEY, "log", "cost that the log itself gives, USD"),
    Column("avoided_cost", MONEY, "pricing", "what a gateway cache hit would have cost, USD; NULL unless a hit"),
    *_cost_columns(),
    Column("fee_cost", MONEY, "pricing", "effective cost of web searches and other fees per request, USD"),
    Column("price_id", "VARCHAR", "pricing", "row of `prices` that made effective_cost"),
    Column("list_price_id", "VARCHAR", "pricing", "row of `prices` that made list_cost"),
    Column("price_basis", "VARCHAR", "pricing", f"{', '.join(PRICE_BASES)}; NULL = unpriced"),
    Column("price_rule", "VARCHAR", "pricing", f"{', '.join(PRICE_RULES)}; NULL = the price row alone"),
    Column("load_id", "VARCHAR", "ingest", "row of `loads` that brought the attempt"),
    Column("source_file", "VARCHAR", "ingest", "file the record came from"),
    Column(
        "source_line",
        "BIGINT",
        "ingest",
        "line of the file (JSON Lines), or position of the record (JSON array; CSV, where the header is 1)",
    ),
    Column("dedupe_rank", "BIGINT", "log", "of two records with one attempt_id the larger rank wins"),
)

ATTEMPT_COLUMNS: dict[str, Column] = {column.name: column for column in ATTEMPTS}

RECORD_ONLY: tuple[Column, ...] = (
    Column(
        "is_call", "BOOLEAN", "log", "the record is an attempt; false = another kind of record, skipped and counted"
    ),
    Column("reject_reason", "VARCHAR", "log", "why the record cannot be used; NULL = usable"),
    Column("dedupe_key", "VARCHAR", "log", "what makes the attempt one; hashed into attempt_id"),
    Column("record_number", "BIGINT", "ingest", "position of the record among those of the batch"),
)
"""Columns of a mapped record that do not reach the store."""

MAPPED: tuple[Column, ...] = (*RECORD_ONLY, *(column for column in ATTEMPTS if column.origin == "log"))
"""What a format's SELECT may give, by name; a column it leaves out is NULL."""

NODE: tuple[Column, ...] = (
    Column("node_id", "VARCHAR", "log", "id of the record in the tree of its trace; NULL = in no tree"),
    Column("parent_ids", "VARCHAR[]", "log", "the nodes above, as far as the record names them; NULL = none"),
    Column(
        "call_kind", "VARCHAR", "log", "a call may repeat calls below it of the same kind; '' = unknown, of any kind"
    ),
)
"""What the SELECT of a format that nests gives besides, of every record with a place in a tree, call or not."""

PRICES: tuple[Column, ...] = (
    Column("price_id", "VARCHAR", "pricing", "stable id: hash of everything else in the row"),
    Column("book", "VARCHAR", "pricing", "book and version, such as genai-prices 0.2.3 or infercost.toml"),
    Column("provider", "VARCHAR", "pricing", "provider in the book"),
    Column("model", "VARCHAR", "pricing", "model in the book"),
    Column("lane", "VARCHAR", "pricing", "standard, batch, flex, priority, fast"),
    Column("region", "VARCHAR", "pricing", "class of region that the price is of, such as regional or us; NULL = any"),
    Column("scope", "VARCHAR", "pricing", "whose price it is, such as team=search; NULL = everybody's"),
    Column("effective_from", "TIMESTAMPTZ", "pricing", "first moment of the price, UTC; NULL = no bound"),
    Column("effective_to", "TIMESTAMPTZ", "pricing", "first moment after the price, UTC; NULL = no bound"),
    Column("input_from", "BIGINT", "pricing", "smallest input_tokens of the long-context tier (0 = base tier)"),
    Column("input_to", "BIGINT", "pricing", "first input_tokens above the tier; NULL = no end"),
    *(
        Column(f"{kind}_rate", "BIGINT", "pricing", f"picodollars per {kind.replace('_', ' ')} token")
        for kind in TOKEN_KINDS
    ),
    *(Column(f"{fee}_fee", "BIGINT", "pricing", f"picodollars per {fee.replace('_', ' ')}") for fee in FEES),
    Column("hour_fee", "BIGINT", "pricing", "picodollars that a pool costs an hour; NULL = the row is not a pool"),
    Column("currency", "VARCHAR", "pricing", "currency in which the source states the price, converted into the rates"),
    Column("basis", "VARCHAR", "pricing", "book, override, derived, extrapolated, pool"),
    Column("source", "VARCHAR", "pricing", "where the figure comes from"),
    Column("source_date", "VARCHAR", "pricing", "day (ISO 8601) on which the source said so; NULL = not known"),
)

MODEL_MAP: tuple[Column, ...] = (
    Column("provider_name", "VARCHAR", "log", "provider as logged"),
    Column("price_model", "VARCHAR", "log", "model string as logged"),
    Column("provider", "VARCHAR", "pricing", "provider in the book; NULL = not resolved"),
    Column("model", "VARCHAR", "pricing", "model in the book; NULL = not resolved"),
    Column("method", "VARCHAR", "pricing", "how it was resolved: exact, alias, prefix, ...; NULL = not resolved"),
    Column("book", "VARCHAR", "pricing", "book and version that resolved it"),
)

LOADS: tuple[Column, ...] = (
    Column("load_id", "VARCHAR", "ingest", "one ingest of one range of one file"),
    Column("loaded_at", "TIMESTAMPTZ", "ingest", "when, UTC"),
    Column("source_file", "VARCHAR", "ingest", "file as it was named"),
    Column("format", "VARCHAR", "ingest", "name of the log format"),
    Column("byte_start", "BIGINT", "ingest", "first byte read"),
    Column("byte_end", "BIGINT", "ingest", "first byte not read"),
    Column("file_bytes", "BIGINT", "ingest", "size of the file when it was read"),
    Column("next_line", "BIGINT", "ingest", "line number at byte_end, 1 for the first"),
    Column("resumable", "BOOLEAN", "ingest", "a longer file with the same beginning is read on from byte_end"),
    Column("head_bytes", "BIGINT", "ingest", "length of the file's beginning that head_hash covers"),
    Column("head_hash", "VARCHAR", "ingest", "hash of the first head_bytes bytes"),
    Column("tail_hash", "VARCHAR", "ingest", "hash of the last bytes before byte_end"),
    Column("records", "BIGINT", "ingest", "records seen"),
    Column("attempts", "BIGINT", "ingest", "attempts written"),
    Column("duplicates", "BIGINT", "ingest", "records that repeat an attempt"),
    Column("skipped", "BIGINT", "ingest", "records of other kinds"),
    Column("rejected", "BIGINT", "ingest", "records that could not be used"),
    Column("unpriced", "BIGINT", "ingest", "attempts with tokens and no price"),
    Column("no_usage", "BIGINT", "ingest", "attempts without token counts"),
    Column("unattributed", "BIGINT", "ingest", "attempts without a feature"),
    Column("contradictions", "BIGINT", "ingest", "attempts whose record contradicts its format's rules"),
    Column("overlapping", "BIGINT", "ingest", "attempts that another format told of too, counted once"),
    Column("bill_lines", "BIGINT", "ingest", "bill lines written"),
    Column("book", "VARCHAR", "ingest", "price book and version"),
    Column("schema_version", "INTEGER", "ingest", "SCHEMA_VERSION of the writer"),
    Column("infercost_version", "VARCHAR", "ingest", "version of the writer"),
)

REJECTS: tuple[Column, ...] = (
    Column("load_id", "VARCHAR", "ingest", "row of `loads`"),
    Column("source_file", "VARCHAR", "ingest", "file"),
    Column("source_line", "BIGINT", "ingest", "line, or position of the record"),
    Column("reason", "VARCHAR", "ingest", "why the record could not be used"),
    Column("record_bytes", "BIGINT", "ingest", "length of the record in bytes"),
)

BILLS: tuple[Column, ...] = (
    Column(
        "bill_id", "VARCHAR", "ingest", "dedupe key: md5 of the format family and the key that its declaration names"
    ),
    Column("format", "VARCHAR", "ingest", "name of the bill's format"),
    Column("provider_name", "VARCHAR", "log", "who sent the bill (gen_ai.provider.name where it has one)"),
    Column("measure", "VARCHAR", "log", "usage (quantities without money) or cost; the two are never added"),
    Column("period_start", "TIMESTAMPTZ", "log", "start of the charge period, UTC"),
    Column("period_end", "TIMESTAMPTZ", "log", "end of the charge period, UTC"),
    Column("invoice_id", "VARCHAR", "log", "invoice as the bill names it"),
    Column("account", "VARCHAR", "log", "organisation, workspace, project or cloud account that is charged"),
    Column("user_id", "VARCHAR", "log", "user; hashed like attempts.user_id"),
    Column("api_key_id", "VARCHAR", "log", "API key; hashed like attempts.api_key_id"),
    Column("api_key_name", "VARCHAR", "log", "alias of the API key"),
    Column("model", "VARCHAR", "log", "model as billed; NULL = the bill does not say"),
    Column("charge", "VARCHAR", "log", "kind of charge as billed, verbatim"),
    Column(
        "token_kind",
        "VARCHAR",
        "log",
        "one of TOKEN_KINDS, or input or output where the bill does not split; else NULL",
    ),
    Column("service_tier", "VARCHAR", "log", "standard, batch, flex, priority, fast; NULL = standard or not told"),
    Column("region", "VARCHAR", "log", "region or geography as billed"),
    Column("context_window", "VARCHAR", "log", "long-context tier as billed, such as 0-200k"),
    Column(
        "quantity", "DECIMAL(28,9)", "log", "billed quantity in quantity_unit, thousands and millions multiplied out"
    ),
    Column("quantity_unit", "VARCHAR", "log", "tokens, requests, searches, hours, ...; NULL = not told"),
    Column("requests", "BIGINT", "log", "model calls in the line; NULL = not told"),
    Column("billed_cost", MONEY, "log", "charged, in `currency`; NULL = the line has no money (measure usage)"),
    Column("list_cost", MONEY, "log", "before discounts, in `currency`; NULL = not told"),
    Column("currency", "VARCHAR", "log", "ISO 4217 code, upper case"),
    Column("tags", "MAP(VARCHAR, VARCHAR)", "log", "tags and further dimensions of the bill"),
    Column("load_id", "VARCHAR", "ingest", "row of `loads`"),
    Column("source_file", "VARCHAR", "ingest", "file the line came from"),
    Column("source_line", "BIGINT", "ingest", "line of the file, or position of the record"),
    Column("dedupe_rank", "BIGINT", "log", "of two lines with one bill_id the larger rank wins, then the larger sum"),
)

MAPPED_BILLS: tuple[Column, ...] = (*RECORD_ONLY, *(column for column in BILLS if column.origin == "log"))
"""What the SELECT of a bill's format may give, by name; `is_call` says there that the row is a bill line."""

MEASURES = ("usage", "cost")

LINKS: tuple[Column, ...] = (
    Column("family", "VARCHAR", "ingest", "family of the format that tells of the tree"),
    Column("tree_id", "VARCHAR", "log", "trace that the tree belongs to; '' where the log names none"),
    *NODE,
    Column("attempt_id", "VARCHAR", "ingest", "row of `attempts` or `set_aside`; NULL = the node is no call"),
    Column("has_usage", "BOOLEAN", "log", "the record has token counts"),
    Column("is_failed", "BOOLEAN", "log", "the record says that the call failed"),
    Column("started_at", "TIMESTAMPTZ", "log", "start of the record, UTC"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "attempts": ATTEMPTS,
    "set_aside": ATTEMPTS,
    "links": LINKS,
    "prices": PRICES,
    "model_map": MODEL_MAP,
    "loads": LOADS,
    "rejects": REJECTS,
    "bills": BILLS,
}
"""Tables that the store keeps; `requests`, `sessions` and `cells` are views over them (queries/views/).

`set_aside` holds the attempts that repeat others (of nested calls the outer one), and `links` the trees that say so:
with both, what a log shows of a trace in one ingest is judged again when another one brings more of it.
"""

DATED = ("attempts", "set_aside", "links")
"""Tables that are cut into folders by the UTC day of `started_at`."""


def columns_sql(columns: tuple[Column, ...]) -> str:
    """Return the column list of a CREATE TABLE statement."""
    return ", ".join(f'"{column.name}" {column.type}' for column in columns)
