"""The report's figures come from the store, add up, and say what they do not know."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_store import attempt, store

from infercost.analyze.build import NO_VALUE, build_report
from infercost.analyze.headline import money
from infercost.analyze.report import AliasedModel
from infercost.analyze.windows import baseline_window, resolve_window
from infercost.config import Budget, Config
from infercost.errors import ConfigError, ExitCode, NoDataError, UsageError
from infercost.render import trust

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infercost.analyze.report import Figures, Report

NOW = datetime(2026, 11, 15, 9, 30, tzinfo=UTC)


def report(
    rows: "Iterable[dict[str, Any]]",
    since: str = "7d",
    until: str | None = None,
    compare: str = "previous",
    by: tuple[tuple[str, ...], ...] = (),
    config: Config | None = None,
    **tables: list[dict[str, Any]],
) -> "Report":
    config = config or Config()
    window = resolve_window(since, until, NOW, config.zone)
    baseline = baseline_window(window, compare)
    return build_report(store(rows, **tables), window, baseline, by, config, NOW)


RISE = [
    attempt("2026-11-01", "0", "old"),
    attempt("2026-11-02", "1000", "chat_support"),
    attempt("2026-11-03", "2000", "search_rag"),
    attempt("2026-11-04", "986.5", "old"),
    attempt("2026-11-09", "1800", "chat_support"),
    attempt("2026-11-09", "2300", "search_rag"),
    attempt("2026-11-14", "1120.5", "old"),
]


def test_savings_are_those_of_both_windows() -> None:
    hits = [
        attempt("2026-11-03", "0", "a", gateway_cache="exact", avoided_cost="0.5"),
        attempt("2026-11-10", "0", "a", gateway_cache="exact", avoided_cost="0.25"),
        attempt("2026-11-11", "0.75", "a", status="error"),
    ]
    found = {line.name: line for line in report(hits).savings}
    gateway, failed = found["gateway_cache"], found["failed_attempts"]
    assert (gateway.current, gateway.baseline, gateway.current_count) == (Decimal("0.25"), Decimal("0.5"), 1)
    assert (failed.current, failed.baseline, failed.baseline_count) == (Decimal("0.75"), None, 0)
    assert found["prompt_cache"].current is None
    assert all(line.baseline is None for line in report(hits, compare="none").savings)


def test_sessions_are_counted_with_the_cost_of_their_attempts() -> None:
    rows = [
        attempt("2026-11-09", "3", session_id="s1"),
        attempt("2026-11-10", "1", session_id="s1"),
        attempt("2026-11-10", None, session_id="s2"),
        attempt("2026-11-11", "7"),
    ]
    found = report(rows)
    assert found.sessions is not None
    assert (found.sessions.count, found.sessions.cost) == (2, Decimal(4))
    assert found.baseline_sessions is None
    assert report(rows[3:]).sessions is None


def test_figures_of_a_rise() -> None:
    found = report(RISE)
    assert (found.total.current.cost, found.total.change) == (Decimal("5220.5"), Decimal(1234))
    assert found.total.baseline is not None
    assert found.total.baseline.cost == Decimal("3986.5")
    feature = found.sections[0]
    assert [(row.values, row.change) for row in feature.rows] == [
        (("chat_support",), Decimal(800)),
        (("search_rag",), Decimal(300)),
        (("old",), Decimal(134)),
    ]
    assert feature.rows[0].change_ratio == pytest.approx(0.8)
    assert sum(row.share_of_change or 0 for row in feature.rows) == pytest.approx(1)
    assert [section.name for section in found.sections] == ["feature", "cohort", "route", "response_model"]
    assert [section.title for section in found.sections][-1] == "Cost by model"
    assert found.sections[-1].rows[0].values == (NO_VALUE,)


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        (
            RISE,
            {},
            (
                "Spend rose $1,234 (+31 %) from $3,986 to $5,220 in the 7 days to 14 Nov 2026, against the 7 days "
                "before; most of the rise is in chat_support (+$800), search_rag (+$300) and old (+$134)."
            ),
        ),
        (
            RISE,
            {"compare": "none"},
            (
                "Spend was $5,220 in the 7 days to 14 Nov 2026; most of it is in search_rag ($2,300) and "
                "chat_support ($1,800)."
            ),
        ),
        (
            RISE,
            {"since": "1d", "until": "2026-11-09"},
            (
                "Spend was $4,100 on 9 Nov 2026; most of it is in search_rag ($2,300) and chat_support "
                "($1,800); there is no data of the day before to compare with."
            ),
        ),
        (
            [attempt("2026-11-03", "10", "a"), attempt("2026-11-10", "2", "a"), attempt("2026-11-11", "3", "b")],
            {},
            (
                "Spend fell $5.00 (-50 %) from $10.00 to $5.00 in the 7 days to 14 Nov 2026, against the 7 days before;"
                " most of the fall is in a (-$8.00), while b (+$3.00) rose; the store begins on 3 Nov 2026,"
                " inside the window compared with."
            ),
        ),
        (
            [attempt("2026-11-01", "10"), attempt("2026-11-10", "10.04")],
            {},
            "Spend held at $10.04 in the 7 days to 14 Nov 2026, against the 7 days before.",
        ),
        (
            [attempt("2026-11-01", "0"), attempt("2026-11-10", "0")],
            {},
            "Nothing was spent in the 7 days to 14 Nov 2026, nor in the 7 days before.",
        ),
        (
            [attempt("2026-11-01", "10"), attempt("2026-11-10", "0")],
            {},
            "Spend fell $10.00 (-100 %) from $10.00 to $0 in the 7 days to 14 Nov 2026, against the 7 days before.",
        ),
        (
            [attempt("2026-11-01", "0"), attempt("2026-11-10", "0.0042")],
            {},
            "Spend rose $0.004 from $0 to $0.004 in the 7 days to 14 Nov 2026, against the 7 days before.",
        ),
        (
            [attempt("2026-11-01", "10"), attempt("2026-11-10", None), attempt("2026-11-11", None)],
            {},
            "Spend in the 7 days to 14 Nov 2026 is not known: none of the 2 attempts has a price.",
        ),
        (
            [attempt("2026-11-01", None), attempt("2026-11-10", "10"), attempt("2026-11-11", None)],
            {},
            (
                "Spend was $10.00 in the 7 days to 14 Nov 2026; what the 7 days before cost is not known, "
                "as no attempt of it has a price; 1 of 2 attempts have no price and are left out."
            ),
        ),
        (
            [
                *(attempt(f"2026-11-{day:02}", "1") for day in range(1, 15)),
                attempt("2026-11-10", None, input_tokens=None, output_tokens=None),
            ],
            {},
            (
                "Spend held at $7.00 in the 7 days to 14 Nov 2026, against the 7 days before; "
                "7 % of the attempts have no token counts."
            ),
        ),
        (
            [attempt("2026-11-15", "1", started_at="2026-11-15T08:59:59Z"), attempt("2026-11-14", "1")],
            {"since": "12h"},
            "Spend held at $1.00 in the 12 hours to 15 Nov 2026 09:00, against the 12 hours before.",
        ),
    ],
)
def test_headline(rows: list[dict[str, Any]], options: dict[str, Any], sentence: str) -> None:
    assert report(rows, **options).headline == sentence


def test_report_without_a_baseline_has_no_change() -> None:
    found = report(RISE, compare="none")
    assert (found.baseline, found.total.baseline, found.total.change) == (None, None, Decimal(0))
    assert found.total.change_ratio is None
    assert all(row.baseline is None and row.share_of_change is None for row in found.sections[0].rows)
    assert [row.current.cost for row in found.sections[0].rows] == [Decimal(2300), Decimal(1800), Decimal("1120.5")]
    assert all(day.baseline_cost is None for day in found.daily)


def test_sections_by_several_columns() -> None:
    found = report(RISE, by=(("feature", "provider_name"), ("status",)))
    assert [(section.name, section.title) for section in found.sections] == [
        ("feature_provider_name", "Cost by feature and provider"),
        ("status", "Cost by status"),
    ]
    assert found.sections[0].rows[0].values == ("chat_support", NO_VALUE)
    assert found.sections[0].total.values == ("Total", "")


def test_a_column_that_cannot_be_grouped_by_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot group by 'colour'"):
        report(RISE, by=(("colour",),))


def test_sql_of_every_table_gives_its_figures() -> None:
    window = resolve_window("7d", None, NOW, "UTC")
    connection = store(RISE)
    found = build_report(connection, window, baseline_window(window, "previous"), (), Config(), NOW)
    for section in found.sections:
        rows = connection.sql(section.sql).to_arrow_table().to_pylist()
        assert [row["cost_usd"] for row in rows] == [row.current.cost for row in section.rows]
    days = connection.sql(found.daily_sql).to_arrow_table().to_pylist()
    assert sum(row["cost_usd"] for row in days) == found.total.current.cost


def test_days_are_matched_by_position_and_none_is_left_out() -> None:
    found = report(RISE)
    assert [day.position for day in found.daily] == list(range(7))
    assert [day.current_start.date() for day in found.daily] == [date(2026, 11, 8) + timedelta(day) for day in range(7)]
    assert [day.current_cost for day in found.daily] == [
        Decimal(cost) for cost in ("0", "4100", "0", "0", "0", "0", "1120.5")
    ]
    assert [day.baseline_cost for day in found.daily][1:4] == [Decimal(1000), Decimal(2000), Decimal("986.5")]


def test_a_day_of_25_hours_is_one_day_and_25_hours() -> None:
    moments = [datetime(2026, 10, 24, 22, 30, tzinfo=UTC) + timedelta(hours=hour) for hour in range(25)]
    rows = [attempt("", "1", started_at=moment.isoformat()) for moment in moments]
    config = Config(zone="Europe/Berlin")
    by_day = report(rows, since="2026-10-25", until="2026-10-25", config=config)
    assert [day.current_cost for day in by_day.daily] == [Decimal(25)]
    by_hour = report(rows, since="2026-10-25T00:00", until="2026-10-25T23:45", config=config)
    assert [day.current_cost for day in by_hour.daily] == [Decimal(1)] * 25


def test_a_long_window_of_hours_is_shown_by_day() -> None:
    found = report(RISE, since="2026-11-09T06:00", until="2026-11-14T18:00")
    assert [day.current_cost for day in found.daily][0::5] == [Decimal(4100), Decimal("1120.5")]
    assert "local_day" in found.daily_sql


def test_trust_counts_both_windows_and_names_what_has_no_price() -> None:
    openai = {"provider_name": "openai", "price_model": "gpt-9", "load_id": "l1"}
    found = report(
        [
            attempt("2026-11-02", None, **openai),
            attempt("2026-11-10", None, **openai),
            attempt("2026-11-10", None, price_model="own-model", weight=10, grain="request", contradiction="wrong"),
            attempt("2026-11-10", "2", "(unattributed)", price_id="p1", usage_source="estimated"),
            attempt("2026-11-11", None, input_tokens=None, output_tokens=None, usage_source="missing", status="error"),
            attempt("2026-11-15", "2"),
        ],
        loads=[{"load_id": "l1", "records": 9, "duplicates": 2, "overlapping": 3, "rejected": 1}],
        prices=[{"price_id": "p1", "book": "genai-prices 0.2.3"}],
    )
    trust = asdict(found.trust)
    assert trust.pop("unpriced_models") == (
        {"name": "gpt-9 (openai)", "attempts": 2, "tokens": 22},
        {"name": "own-model", "attempts": 1, "tokens": 11},
    )
    assert trust.pop("aliased_models") == ()
    assert trust == {
        "records": 9,
        "attempts": 5,
        "requests": 5,
        "duplicates": 2,
        "rejected": 1,
        "unpriced_attempts": 3,
        "no_usage_attempts": 1,
        "estimated_attempts": 1,
        "contradicting_attempts": 1,
        "sampled_attempts": 1,
        "sampled_calls": 10,
        "folded_attempts": 1,
        "overlapping": 3,
        "unattributed_attempts": 1,
        "unattributed_cost": Decimal(2),
        "price_books": ("genai-prices 0.2.3",),
        "schema_version": 3,
        "newest_event": datetime(2026, 11, 15, 12, tzinfo=UTC),
    }


def test_trust_names_what_was_priced_through_another_name_in_both_windows() -> None:
    latest = {"provider_name": "openai", "price_model": "gpt-4o-latest", "price_id": "p1"}
    exact = {"provider_name": "openai", "price_model": "gpt-4o", "price_id": "p1"}
    goal = {"provider": "openai", "model": "gpt-4o"}
    found = report(
        [
            attempt("2026-11-02", "1", **latest),
            attempt("2026-11-10", "2", **latest),
            attempt("2026-11-10", "3", **exact),
            attempt("2026-11-15", "4", **latest),
        ],
        prices=[{"price_id": "p1", **goal}],
        model_map=[
            {"provider_name": "openai", "price_model": "gpt-4o-latest", "method": "alias", **goal},
            {"provider_name": "openai", "price_model": "gpt-4o", "method": "exact", **goal},
        ],
    )
    assert found.trust.aliased_models == (AliasedModel("gpt-4o-latest", "openai", "gpt-4o", "alias", 2),)


@pytest.mark.parametrize(
    ("rows", "options", "message", "hint"),
    [
        ([], {}, "the store is empty", "infercost ingest logs PATH"),
        (
            [attempt("2026-08-01", "1"), attempt("2026-09-30", "1")],
            {},
            "no attempts between 2026-11-08 00:00",
            "--until 2026-09-30",
        ),
        (
            [attempt("2026-11-15", "1")],
            {},
            "from 15 Nov 2026 to 12:00 on 15 Nov 2026",
            "--since 2026-11-15 --until 2026-11-15",
        ),
    ],
)
def test_a_window_without_data_names_the_newest(
    rows: list[dict[str, Any]], options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(NoDataError) as caught:
        report(rows, **options)
    assert caught.value.exit_code is ExitCode.NO_DATA
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_following_the_hint_gives_a_report() -> None:
    rows = [attempt("2026-09-29", "1", started_at="2026-09-29T23:30:00Z")]
    config = Config(zone="Europe/Berlin")
    with pytest.raises(NoDataError) as caught:
        report(rows, config=config)
    assert caught.value.hint == "use --until 2026-09-30"
    assert report(rows, until="2026-09-30", config=config).total.current.cost == Decimal(1)


def test_budgets_count_the_running_period_up_to_the_end_of_the_window() -> None:
    budgets = (
        Budget("all", Decimal(100), "month", {}),
        Budget("search", Decimal(10), "week", {"feature": "search", "status": "ok"}),
        Budget("today", Decimal(4), "day", {}),
    )
    rows = [
        attempt("2026-10-31", "50"),
        attempt("2026-11-01", "20"),
        attempt("2026-11-08", "7", "search"),
        attempt("2026-11-09", "4", "search"),
        attempt("2026-11-09", "8", "search", status="error"),
        attempt("2026-11-14", None, "search"),
        attempt("2026-11-15", "90"),
    ]
    month, week, day = report(rows, config=Config(budgets=budgets)).budgets
    assert (month.spent, month.scope, month.period_start, month.period_end) == (
        Decimal(39),
        "everything",
        date(2026, 11, 1),
        date(2026, 12, 1),
    )
    assert month.used_ratio == pytest.approx(0.39)
    assert month.elapsed_ratio == pytest.approx(14 / 30)
    assert (week.spent, week.scope, week.period_start) == (Decimal(4), "feature=search, status=ok", date(2026, 11, 9))
    assert week.elapsed_ratio == pytest.approx(6 / 7)
    assert (day.spent, day.period_start, day.elapsed_ratio) == (Decimal(0), date(2026, 11, 14), 1.0)
    # Two weeks cost 39 dollars on their Sundays and Mondays, of which three each are left.
    assert (month.projected, month.gone_at) == (Decimal(39) + Decimal("58.50"), None)
    assert month.projected is not None
    assert month.projected_low is not None
    assert month.projected_high is not None
    assert month.projected_low < month.projected < month.projected_high
    assert day.projected == Decimal(0)


def test_budgets_of_tokens_of_counted_days_and_of_sessions() -> None:
    budgets = (
        Budget("tokens", Decimal(40), "3d", {"feature": "search"}, "tokens", Decimal("0.5"), starts=date(2026, 10, 30)),
        Budget("talk", Decimal(5), "session", {}),
        Budget("long talk", Decimal(15), "session", {"feature": "chat"}, "tokens"),
    )
    rows = [
        attempt("2026-11-10", "1", "search"),
        attempt("2026-11-11", "1", "search"),
        attempt("2026-11-13", "1", "search"),
        attempt("2026-11-14", "2", session_id="a"),
        attempt("2026-11-12", "4", session_id="a"),
        attempt("2026-11-14", "5", session_id="b"),
        attempt("2026-11-13", "50", session_id="c"),
    ]
    tokens, talk, long = report(rows, config=Config(budgets=budgets)).budgets
    # Periods of three days begin on 30 October; the one of the 14th began on the 14th, but for the window's end.
    assert (tokens.period_start, tokens.period_end, tokens.unit) == (date(2026, 11, 14), date(2026, 11, 17), "tokens")
    assert (tokens.spent, tokens.soft, tokens.hard) == (Decimal(0), 0.5, 1.0)
    assert (talk.sessions, talk.sessions_over, talk.spent) == (2, 1, Decimal(6))
    assert (long.sessions, long.sessions_over, long.spent) == (2, 1, Decimal(22))
    assert (talk.projected, talk.gone_at) == (None, None)


def test_a_baseline_without_an_attempt_is_named_and_not_compared_with() -> None:
    found = report(RISE, since="1d", until="2026-11-09")
    assert found.baseline is None
    assert found.empty_baseline is not None
    assert found.empty_baseline.start.date() == date(2026, 11, 8)
    assert all(row.baseline is None for section in found.sections for row in (*section.rows, section.total))
    assert all(day.baseline_cost is None for day in found.daily)
    facts = {fact.label: fact for fact in trust.facts(found)}
    assert (facts["Compared with"].text, facts["Compared with"].state) == ("nothing", "warn")
    assert facts["Compared with"].detail == "no data of 8 Nov 2026"


def test_burn_and_the_change_of_a_year() -> None:
    found = report(RISE)
    assert found.burn is not None
    assert found.baseline_burn is not None
    assert found.burn.cost is not None
    assert abs(found.burn.cost * 168 - found.total.current.cost) < Decimal("1e-9")
    assert found.burn.tokens == pytest.approx(
        (found.total.current.input_tokens + found.total.current.output_tokens) / 168
    )
    assert found.annual_change == (found.total.change / 7 * 365).quantize(Decimal("0.01"))
    assert report(RISE, compare="none").annual_change is None


def test_a_budget_by_an_unknown_column_names_the_budget() -> None:
    config = Config(budgets=(Budget("all", Decimal(1), "month", {"colour": "red"}),))
    with pytest.raises(ConfigError, match=r"budget all: .*cannot group by 'colour'"):
        report(RISE, config=config)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0"),
        ("1234.5", "$1,234"),
        ("-800", "-$800"),
        ("99.994", "$99.99"),
        ("0.01", "$0.01"),
        ("0.0042", "$0.004"),
        ("0.00000001", "under $0.0001"),
        ("-0.00000001", "under $0.0001"),
    ],
)
def test_money_is_never_rounded_to_nothing(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


rows_of_a_store = st.lists(
    st.builds(
        attempt,
        st.integers(0, 13).map(lambda day: (date(2026, 11, 1) + timedelta(day)).isoformat()),
        st.one_of(st.none(), st.integers(0, 10**14).map(lambda pico: str(Decimal(pico).scaleb(-12)))),
        st.sampled_from(["chat", "search", "(unattributed)"]),
        cohort=st.sampled_from(["free", "paying"]),
        response_model=st.sampled_from(["small", "large", None]),
        request_id=st.sampled_from(["r1", "r2", None]),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=15, deadline=None)
@given(rows_of_a_store)
def test_every_section_and_the_days_add_up_to_the_total(rows: list[dict[str, Any]]) -> None:
    rows = [*rows, attempt("2026-11-10", "0.000000000001")]
    found = report(rows, by=(("feature",), ("response_model",), ("cohort", "feature")))
    for section in found.sections:
        assert section.total.current == found.total.current
        assert section.total.baseline == found.total.baseline
        assert sum((row.change for row in section.rows), Decimal(0)) == found.total.change
        # Without an attempt in the baseline there is nothing to compare with.
        for side in ("current", *(("baseline",) if found.baseline else ())):
            total: Figures = getattr(section.total, side)
            parts: list[Figures] = [getattr(row, side) for row in section.rows]
            for name, value in asdict(total).items():
                assert sum(Fraction(getattr(part, name)) for part in parts) == value, (section.name, side, name)
        sizes = [abs(row.change) for row in section.rows]
        assert sizes == sorted(sizes, reverse=True)
    assert sum((day.current_cost for day in found.daily), Decimal(0)) == found.total.current.cost
    before = found.total.baseline
    assert sum((day.baseline_cost or Decimal(0) for day in found.daily), Decimal(0)) == (before.cost if before else 0)
