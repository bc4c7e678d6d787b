"""An incident is told once, again when it is worse, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from infercost.analyze.findings import Checked, Finding, Kind, News, Outcome
from infercost.analyze.incidents import WORSE, Memory, Told, compare

NOW = datetime(2026, 11, 18, tzinfo=UTC)


def checked(*findings: Finding) -> Checked:
    return Checked(NOW, NOW, NOW, "UTC", findings)


def finding(
    key: str = "limit:a", outcome: Outcome = Outcome.FIRED, size: float = 1.0, kind: Kind = Kind.LIMIT
) -> Finding:
    return Finding(key, kind, key, outcome, "share", size=size)


def test_new_ongoing_worse_over() -> None:
    first, memory = compare(checked(finding()), Memory())
    assert (first.findings[0].news, first.is_alarm) == (News.NEW, True)
    second, memory = compare(checked(finding(size=WORSE)), memory)
    assert (second.findings[0].news, second.is_alarm) == (News.ONGOING, False)
    third, memory = compare(checked(finding(size=1.01 * WORSE)), memory)
    assert (third.findings[0].news, third.is_alarm) == (News.WORSE, True)
    fourth, memory = compare(checked(finding(outcome=Outcome.OK)), memory)
    assert ([each.news for each in fourth.over], fourth.is_alarm, memory) == ([News.OVER], False, Memory())
    assert fourth.over[0].since == NOW


def test_a_part_more_is_told_and_a_part_less_is_not() -> None:
    def of(*parts: str) -> Checked:
        return checked(replace(finding(), parts=parts))

    _, memory = compare(of("feature=a"), Memory())
    spread, memory = compare(of("feature=a", "feature=b"), memory)
    assert spread.findings[0].news is News.WORSE
    for parts in (("feature=b",), ("feature=a", "feature=b"), ("feature=a",)):
        later, memory = compare(of(*parts), memory)
        assert later.findings[0].news is News.ONGOING


def test_of_everything_each_part_is_a_part() -> None:
    _, memory = compare(checked(replace(finding(), parts=("",))), Memory())
    later, _ = compare(checked(replace(finding(), parts=("", "feature=a", "feature=b"))), memory)
    assert later.findings[0].news is News.ONGOING


def test_what_is_told_afresh_is_remembered_from_its_beginning() -> None:
    began = NOW - timedelta(days=3)
    told = {"limit:a": Told(began, 1.0, "a", Kind.LIMIT), "limit:b": Told(began, 1.0, "b", Kind.LIMIT)}
    unknown = finding("limit:c", Outcome.UNKNOWN)
    memory = Memory(told, frozenset({"limit:c"}), is_fresh=True)
    made, kept = compare(checked(finding(), finding("limit:b", Outcome.OK), unknown), memory)
    assert [each.news for each in made.findings] == [News.NEW, None, News.NEW]
    assert [each.key for each in made.over] == ["limit:b"]
    assert kept.told["limit:a"].first == began


def test_what_follows_from_another_is_no_news_and_ends_with_it() -> None:
    root, other = finding("signal:retry_rate"), replace(finding("signal:cost_per_hour"), follows="signal:retry_rate")
    _, memory = compare(checked(root), Memory())
    made, memory = compare(checked(root, other), memory)
    assert (made.is_alarm, made.is_news) == (False, False)
    made, memory = compare(checked(root, replace(other, follows=None)), memory)
    assert (made.findings[1].news, made.findings[1].follows) == (News.ONGOING, "signal:retry_rate")
    fine = (replace(each, outcome=Outcome.OK) for each in (root, other))
    made, memory = compare(checked(*fine), memory)
    assert [each.key for each in made.over] == ["signal:retry_rate"]


def test_what_could_not_be_told_is_neither_over_nor_forgotten() -> None:
    memory = Memory({"limit:a": Told(NOW - timedelta(days=1), 1.0, "a", Kind.LIMIT)})
    for blind in (checked(finding(outcome=Outcome.UNKNOWN)), checked(finding("data", Outcome.UNKNOWN))):
        made, kept = compare(blind, memory)
        assert (made.over, kept.told, made.is_news) == ((), memory.told, True)
        made, kept = compare(blind, kept)
        assert (made.over, kept.told, made.is_news) == ((), memory.told, False)


def test_an_event_has_no_end_and_a_warning_is_no_alarm() -> None:
    made, memory = compare(checked(replace(finding("event:x", kind=Kind.EVENT), is_warning=True)), Memory())
    assert (made.is_alarm, set(memory.told)) == (False, {"event:x"})
    made, memory = compare(checked(), memory)
    assert (made.over, memory) == ((), Memory())


def test_a_limit_that_was_taken_out_is_over() -> None:
    made, memory = compare(checked(), Memory({"limit:a": Told(NOW, 1.0, "retry_rate <= 5%", Kind.LIMIT)}))
    assert ([each.title for each in made.over], memory) == (["retry_rate <= 5%"], Memory())


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.floats(0.1, 10)), min_size=1, max_size=12))
def test_told_again_only_when_worse(steps: list[tuple[Outcome, float]]) -> None:
    """From one telling to the next of an incident that never ends, it is always WORSE times as bad or worse."""
    memory = Memory()
    told = 0.0
    for outcome, size in steps:
        made, memory = compare(checked(finding(outcome=outcome, size=size)), memory)
        if made.is_alarm:
            assert size > WORSE * told
            told = size
        if outcome is Outcome.OK:
            told = 0.0
        assert set(memory.told) == ({"limit:a"} if told else set())
