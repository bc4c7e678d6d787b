"""A hand-made report of two weeks: its rows add up, some of its names are hostile."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sample_explanation import sample_explanation

from infercost.analyze.report import (
    AliasedModel,
    BudgetUse,
    Burn,
    DayCost,
    Figures,
    NamedCount,
    Outlier,
    Outliers,
    Report,
    Row,
    Saving,
    Section,
    Sessions,
    Signal,
    Trust,
    Window,
)

START = datetime(2026, 11, 8, tzinfo=UTC)
WEEK = timedelta(days=7)

SCRIPT_NAME = "</script><script>alert('x')</script>"
QUOTE_NAME = '"\'><img src=x onerror="alert(1)"> `|` {{ 7*7 }}'
TURNED_NAME = "invoice\u202egnp.exe\u2066 \u200fabc\x1b[31mred\nsecond line"
LONG_NAME = "very-long-name-" * 667
HOSTILE = (SCRIPT_NAME, QUOTE_NAME, TURNED_NAME, LONG_NAME)

Numbers = tuple[str, str, int, int, int, int]
"""Cost before and now, requests before and now, tokens per request before and now."""

FEATURES: dict[str, Numbers] = {
    "search": ("4310.482913", "7215.904120", 61_204, 64_880, 5_900, 8_740),
    "support-agent": ("3120.118820", "4480.204417", 20_110, 22_300, 14_200, 17_800),
    "summarize": ("2410.007312", "2611.440018", 118_402, 127_113, 2_480, 2_502),
    "code-review": ("1505.220001", "1090.118274", 8_214, 8_020, 21_400, 15_300),
    "(unattributed)": ("402.119200", "501.772190", 6_120, 7_412, 6_010, 6_120),
    "translate": ("311.904412", "301.218840", 90_114, 88_012, 640, 640),
    "onboarding-tour": ("0", "88.120417", 0, 1_204, 0, 9_120),
    "legacy-classifier": ("61.448120", "0", 30_221, 0, 900, 0),
}

MODELS: dict[str, Numbers] = {
    "claude-opus-4-5": ("2904.118240", "6890.220184", 12_904, 28_114, 14_120, 14_480),
    "claude-sonnet-4-5": ("5120.904418", "4880.118240", 71_204, 66_120, 6_900, 7_120),
    "gpt-5-mini": ("1204.448120", "1390.001842", 190_114, 192_004, 1_420, 1_502),
}

ROUTES: dict[str, Numbers] = {
    "default": ("6904.118240", "6820.220184", 202_904, 198_114, 3_120, 3_140),
    "escalate-to-frontier": ("2120.904418", "6480.118240", 11_204, 26_120, 12_900, 13_120),
}

DAILY = ((1710, 1842), (1742, 1890), (1768, 2015), (1731, 2480), (1779, 2705), (1770, 2740))


def figures(cost: str, requests: int, per_request: int, unpriced: int = 0) -> Figures:
    tokens = requests * per_request
    return Figures(Decimal(cost), requests, requests + requests // 40, tokens, tokens // 9, unpriced)


def make_row(values: tuple[str, ...], before: Figures | None, now: Figures, total_change: Decimal | None) -> Row:
    change = now.cost - (before.cost if before else 0)
    return Row(
        values=values,
        current=now,
        baseline=before,
        change=change,
        change_ratio=float(change / before.cost) if before and before.cost else None,
        share_of_change=float(change / total_change) if before and total_change else None,
    )


def add(rows: list[Figures]) -> Figures:
    return Figures(
        sum((row.cost for row in rows), Decimal(0)),
        *(
            sum(getattr(row, name) for row in rows)
            for name in ("requests", "attempts", "input_tokens", "output_tokens", "unpriced_attempts")
        ),
    )


def feature_pairs(hostile: bool) -> list[tuple[str, Figures, Figures]]:
    pairs = [
        (name, figures(before, r0, t0), figures(now, r1, t1, 210 if name == "support-agent" else 0))
        for name, (before, now, r0, r1, t0, t1) in FEATURES.items()
    ]
    names = HOSTILE if hostile else ("moderation", "tagging", "digest-mail", "alt-text")
    pairs += [
        (name, figures(f"{20 + i}.5", 400, 900), figures(f"{31 - 4 * i}.25", 410, 900)) for i, name in enumerate(names)
    ]
    pairs += [
        (f"experiment-{i:02d}", figures(f"{i}.1", 40, 900), figures(f"{i}.{i:02d}42", 41, 900)) for i in range(1, 11)
    ]
    return pairs


def section(
    name: str, title: str, pairs: list[tuple[str, Figures, Figures]], total: tuple[Figures, Figures], compared: bool
) -> Section:
    left = [("(other)", take(total[0], [p[1] for p in pairs]), take(total[1], [p[2] for p in pairs]))]
    pairs = pairs + [pair for pair in left if pair[1].attempts or pair[2].attempts]
    change = total[1].cost - total[0].cost
    rows = [make_row((label,), before if compared else None, now, change) for label, before, now in pairs]
    rows.sort(key=lambda row: (-abs(row.change), row.values))
    sql = f"SELECT {name}, sum(effective_cost) AS cost\nFROM attempts\nWHERE started_at < $until AND {name} <> '</pre>'"
    return Section(
        name=name,
        title=title,
        dimensions=(name,),
        rows=tuple(rows),
        total=make_row((), total[0] if compared else None, total[1], change),
        sql=sql,
    )


def take(total: Figures, parts: list[Figures]) -> Figures:
    used = add(parts)
    return Figures(
        total.cost - used.cost,
        total.requests - used.requests,
        total.attempts - used.attempts,
        total.input_tokens - used.input_tokens,
        total.output_tokens - used.output_tokens,
        total.unpriced_attempts - used.unpriced_attempts,
    )


def named(entries: dict[str, Numbers]) -> list[tuple[str, Figures, Figures]]:
    return [
        (name, figures(before, r0, t0), figures(now, r1, t1)) for name, (before, now, r0, r1, t0, t1) in entries.items()
    ]


def daily(total: tuple[Figures, Figures], compared: bool) -> tuple[DayCost, ...]:
    days = [(Decimal(before), Decimal(now)) for before, now in DAILY]
    days.append((total[0].cost - sum(day[0] for day in days), total[1].cost - sum(day[1] for day in days)))
    return tuple(
        DayCost(
            position=i,
            current_start=START + timedelta(days=i),
            current_cost=now,
            baseline_start=START - WEEK + timedelta(days=i) if compared else None,
            baseline_cost=before if compared else None,
        )
        for i, (before, now) in enumerate(days)
    )


def trust() -> Trust:
    return Trust(
        records=702_118,
        attempts=676_204,
        requests=659_711,
        duplicates=25_904,
        rejected=10,
        unpriced_attempts=210,
        unpriced_models=(NamedCount("acme-internal-7b", 180, 214_000), NamedCount("<b>m</b>", 30, 9_100)),
        no_usage_attempts=1_402,
        estimated_attempts=0,
        contradicting_attempts=0,
        sampled_attempts=0,
        sampled_calls=0,
        folded_attempts=0,
        overlapping=0,
        unattributed_attempts=13_869,
        unattributed_cost=Decimal("903.891390"),
        aliased_models=(
            AliasedModel("gpt-4o-latest", "openai", "gpt-4o", "alias", 4_120),
            AliasedModel("<i>my</i>|deploy\u202ement", "azure", "gpt-5-mini", "suffix+fallback", 88),
        ),
        price_books=("2026-11-20",),
        schema_version=1,
        newest_event=datetime(2026, 11, 14, 23, 59, 41, tzinfo=UTC),
    )


def budgets() -> tuple[BudgetUse, ...]:
    month = (date(2026, 11, 1), date(2026, 12, 1))
    return (
        BudgetUse(
            "everything",
            "",
            "month",
            *month,
            Decimal(60_000),
            Decimal("28416.113"),
            0.4736,
            0.4667,
            Decimal("60890.5"),
            Decimal(58_000),
            Decimal(63_781),
            datetime(2026, 11, 30, 2, 30, tzinfo=UTC),
        ),
        BudgetUse("search", "feature = search", "month", *month, Decimal(15_000), Decimal("17104.20"), 1.1403, 0.4667),
    )


def signals(compared: bool, hostile: bool) -> tuple[Signal, ...]:
    """A share that left its band on the third day, and a length that nothing is known to compare with."""
    days = tuple(START + timedelta(days=number) for number in range(7))
    share = Signal(
        name="routing_share",
        title=f"Routing to {SCRIPT_NAME if hostile else 'frontier'}",
        unit="share",
        current=0.43,
        baseline=0.2 if compared else None,
        buckets=days,
        bucket_unit="day",
        values=(0.21, 0.2, 0.48, 0.52, None, 0.5, 0.55),
        usual=(0.2,) * 7,
        low=(0.15,) * 7,
        high=(0.25,) * 7,
        outside=(*days[2:4], *days[5:]),
        is_judged=True,
        drivers=("routing",),
        effect=Decimal("2401.335") if compared else None,
        sql="SELECT 1",
    )
    nothing = (None,) * 7
    length = replace(
        share,
        name="prompt_length",
        title="Prompt length, p95",
        unit="tokens",
        current=17_204.5,
        baseline=12_001.0 if compared else None,
        values=(16_000.0, 16_500.0, 17_000.0, 17_500.0, 18_000.0, 17_000.0, 16_900.0),
        usual=nothing,
        low=nothing,
        high=nothing,
        outside=(),
        is_judged=False,
        effect=Decimal(0) if compared else None,
    )
    rate = replace(
        share,
        name="token_rate",
        title="Token rate",
        unit="tokens_per_second",
        current=0.31,
        baseline=0.3 if compared else None,
        values=(0.3, 0.31, 0.32, 0.3, 0.31, 0.3, 0.33),
        usual=(0.3,) * 7,
        low=(0.2,) * 7,
        high=(0.4,) * 7,
        outside=(),
        effect=Decimal("-12.5") if compared else None,
    )
    return (share, length, rate)


def outliers(hostile: bool) -> Outliers:
    names = HOSTILE if hostile else ("s-1", "s-2")
    rows = tuple(
        Outlier(
            session_id=name,
            started_at=START + timedelta(hours=number),
            feature=name,
            cohort=name,
            cost=Decimal(9 - number),
            usual=Decimal("0.5"),
            requests=number + 1,
            usual_requests=2.5,
            failed_attempts=number,
            input_tokens=90_000,
            output_tokens=4_000,
            first_prompt_tokens=1_000,
            last_prompt_tokens=None if number == 1 else 88_000,
        )
        for number, name in enumerate(names)
    )
    return Outliers(rows, 31, 4_100, "SELECT 2")


def savings(compared: bool) -> tuple[Saving, ...]:
    lines = (
        Saving(
            "prompt_cache", "Prompt cache, less its writes", "tokens read", True, Decimal(2), Decimal(3), 9_000, 9_900
        ),
        Saving("failed_attempts", "Failed attempts", "attempts", False, Decimal("5.25"), Decimal("1.5"), 81, 40),
        Saving("fallbacks", "Fallbacks, above the first choice", "attempts", False, None, None, 0, 0),
    )
    return lines if compared else tuple(replace(each, baseline=None, baseline_count=None) for each in lines)


def sample_report(*, hostile: bool = True, compared: bool = True) -> Report:
    """The report of 8-14 Nov 2026, against 1-7 Nov 2026 when `compared`."""
    pairs = feature_pairs(hostile)
    total = (add([pair[1] for pair in pairs]), add([pair[2] for pair in pairs]))
    by_feature = section("feature", "By feature", pairs, total, compared)
    return Report(
        headline="Spend rose $4,180 (+34.1 %) to $16,445, 8\N{EN DASH}14 Nov 2026 against 1\N{EN DASH}7 Nov 2026; "
        "most of it in search.",
        zone="UTC",
        currency="USD",
        generated_at=datetime(2026, 11, 15, 6, 0, tzinfo=UTC),
        current=Window(START, START + WEEK, 7),
        baseline=Window(START - WEEK, START, 7) if compared else None,
        total=by_feature.total,
        trust=trust(),
        daily=daily(total, compared),
        daily_sql="SELECT day, sum(effective_cost) AS cost\nFROM attempts\nGROUP BY day",
        sections=(
            by_feature,
            section("model", "By model", named(MODELS), total, compared),
            section("route", "By route", named(ROUTES), total, compared),
        ),
        burn=Burn(total[1].cost / 168, 4_101_233.4),
        baseline_burn=Burn(total[0].cost / 168, 3_900_120.9) if compared else None,
        annual_change=(total[1].cost - total[0].cost) * 52 if compared else None,
        budgets=budgets(),
        signals=signals(compared, hostile),
        outliers=outliers(hostile),
        sessions=Sessions(4_100, Decimal("9020.5")),
        baseline_sessions=Sessions(4_000, Decimal("7600.125")) if compared else None,
        savings=savings(compared),
        savings_sql="SELECT sum(avoided_cost) AS saved\nFROM attempts",
        explanation=sample_explanation(total[0].cost, HOSTILE if hostile else ("search", "mail")) if compared else None,
    )


def empty_report() -> Report:
    """A report over windows in which nothing happened."""
    nothing = Figures(Decimal(0), 0, 0, 0, 0, 0)
    row = make_row((), nothing, nothing, Decimal(0))
    whole = sample_report()
    return replace(
        whole,
        headline="No spend in either window.",
        total=row,
        trust=Trust(0, 0, 0, 0, 0, 0, (), 0, 0, 0, 0, 0, 0, 0, 0, Decimal(0), (), (), 1, None),
        daily=tuple(replace(day, current_cost=Decimal(0), baseline_cost=Decimal(0)) for day in whole.daily),
        sections=(Section("feature", "By feature", ("feature",), (), row, "SELECT 1"),),
        burn=None,
        baseline_burn=None,
        annual_change=None,
        budgets=(),
        signals=(),
        outliers=None,
        sessions=None,
        baseline_sessions=None,
        savings=(),
        explanation=None,
    )


def unpriced_report() -> Report:
    """A report in which no attempt has a price."""
    whole = sample_report(hostile=False)

    def bare(item: Figures | None) -> Figures | None:
        return item and replace(item, cost=Decimal(0), unpriced_attempts=item.attempts)

    def bare_row(row: Row) -> Row:
        now = bare(row.current)
        assert now is not None
        return replace(
            row, current=now, baseline=bare(row.baseline), change=Decimal(0), change_ratio=None, share_of_change=None
        )

    sections = tuple(
        replace(part, rows=tuple(map(bare_row, part.rows)), total=bare_row(part.total)) for part in whole.sections
    )
    return replace(
        whole,
        headline="No attempt in these windows has a price.",
        total=bare_row(whole.total),
        trust=replace(whole.trust, unpriced_attempts=whole.trust.attempts),
        daily=tuple(replace(day, current_cost=Decimal(0), baseline_cost=Decimal(0)) for day in whole.daily),
        sections=sections,
        burn=Burn(None, 4_101_233.4),
        baseline_burn=Burn(None, 3_900_120.9),
        annual_change=None,
        budgets=(),
        outliers=None,
        explanation=None,
    )
