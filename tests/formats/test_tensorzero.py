"""TensorZero: times out of UUIDs, episodes and tags out of the inference tables, and costs that are not configured."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from run_format import map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

Row = dict[str, Any]
MILLISECONDS = 1795165260123  # 2026-11-20 09:01:00.123
V7 = f"{MILLISECONDS:012x}"[:8] + "-" + f"{MILLISECONDS:012x}"[8:] + "-7abc-8def-0123456789ab"
PARENT = V7[:-1] + "c"


def model(**changes: Any) -> Row:
    """Return a row of ModelInference."""
    return {
        "id": V7,
        "inference_id": PARENT,
        "model_name": "anthropic::claude-sonnet-4-5",
        "model_provider_name": "anthropic",
        "input_tokens": 1000,
        "output_tokens": 100,
        "cached": False,
        "cost": 0.0045,
        **changes,
    }


CHAT = {
    "id": PARENT,
    "function_name": "draft_reply",
    "variant_name": "sonnet",
    "episode_id": "episode-1",
    "tags": {"feature": "mail", "user_id": "u-9"},
}


def _mapped(lab: "Lab", *rows: Row) -> list[Row]:
    with connect() as connection:
        return mapped_rows(map_file(connection, "tensorzero", lab.write("rows.jsonl", rows)))


def test_a_uuid_of_version_7_tells_the_time(lab: "Lab") -> None:
    (call,) = _mapped(lab, model())
    assert call["started_at"] == "2026-11-20T09:01:00.123000Z"


@pytest.mark.parametrize("name", ["created_at", "timestamp"])
def test_a_time_of_the_row_goes_first(lab: "Lab", name: str) -> None:
    (call,) = _mapped(lab, model(**{name: "2026-11-20 10:00:00"}))
    assert call["started_at"] == "2026-11-20T10:00:00.000000Z"


@pytest.mark.parametrize("name", ["7", V7.replace("-7abc", "-4abc"), "zzzzzzzz-zzzz-7zzz"])
def test_other_ids_tell_no_time(lab: "Lab", name: str) -> None:
    (call,) = _mapped(lab, model(id=name))
    assert call["reject_reason"] == f"created_at is missing and id is no UUIDv7: {name}"


def test_the_inference_gives_episode_and_tags_in_any_order(lab: "Lab") -> None:
    for rows in ([model(), CHAT], [CHAT, model()]):
        call, other = sorted(_mapped(lab, *rows), key=lambda row: not row["is_call"])
        assert (call["session_id"], call["user_id"]) == ("episode-1", "u-9")
        assert call["tags"] == {"feature": "mail", "function": "draft_reply", "variant": "sonnet"}
        assert other["is_call"] is False


def test_inferences_in_a_file_of_their_own_are_joined(lab: "Lab") -> None:
    lab.ingest(lab.write("models.jsonl", [model()]), lab.write("chats.jsonl", [CHAT]))
    assert lab.rows("SELECT session_id, tags['feature'] FROM attempts") == [("episode-1", "mail")]


def test_tags_may_be_text(lab: "Lab") -> None:
    call, _ = _mapped(lab, model(), {**CHAT, "tags": json.dumps(CHAT["tags"])})
    assert call["tags"]["feature"] == "mail"


def test_a_cost_of_null_is_unknown_and_of_zero_is_a_hit(lab: "Lab") -> None:
    unknown, hit = _mapped(lab, model(cost=None), model(cost=0, cached=True))
    assert "reported_cost" not in unknown
    assert (hit["reported_cost"], hit["gateway_cache"]) == ("0.000000000000", "exact")
    assert hit["input_uncached_tokens"] == 1000


def test_a_hit_has_no_answer_of_its_own(lab: "Lab") -> None:
    raw = json.dumps({"id": "msg_1", "model": "claude-sonnet-4-5-20250929"})
    call, hit = _mapped(lab, model(raw_response=raw), model(raw_response=raw, cached=True))
    assert call["response_id"] == "msg_1"
    assert "response_id" not in hit
    assert call["price_model"] == hit["price_model"] == "claude-sonnet-4-5-20250929"


def test_input_includes_the_cache(lab: "Lab") -> None:
    row = model(provider_cache_read_input_tokens=600, provider_cache_write_input_tokens=100)
    (call,) = _mapped(lab, row)
    assert [call[f"{kind}_tokens"] for kind in ("input_uncached", "cache_read", "cache_write_5m")] == [300, 600, 100]


def test_deepseek_misses_are_no_writes(lab: "Lab") -> None:
    """Hits and misses are the whole prompt there; nothing is billed for writing."""
    row = model(model_name="deepseek::deepseek-chat", model_provider_name="deepseek")
    (call,) = _mapped(lab, {**row, "provider_cache_read_input_tokens": 700, "provider_cache_write_input_tokens": 300})
    assert [call[f"{kind}_tokens"] for kind in ("input_uncached", "cache_read", "cache_write_5m")] == [300, 700, 0]


def test_a_null_output_beside_a_known_input_is_zero(lab: "Lab") -> None:
    some, none = _mapped(lab, model(output_tokens=None), model(input_tokens=None, output_tokens=None))
    assert (some["output_text_tokens"], some["usage_source"]) == (0, "reported")
    assert none["usage_source"] == "missing"
