"""What the store holds after LiteLLM's own logs: every attempt once, priced as LiteLLM priced it, hits free."""

from decimal import Decimal
from pathlib import Path

import pytest
from lab import Lab

FIXTURES = Path(__file__).resolve().parents[2].parent / "shared" / "fixtures" / "litellm"

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="../shared/fixtures/litellm is not here")


@pytest.fixture
def filled(lab: Lab) -> Lab:
    """A store with the payloads in all their file shapes, and the same traffic as rows of the database."""
    lab.ingest(
        FIXTURES / "standard_logging_payload.jsonl",
        FIXTURES / "generic_api",
        FIXTURES / "s3_v2_objects" / "litellm-logs",
        FIXTURES / "pg_export" / "spendlogs.csv",
        FIXTURES / "spend_logs_rows.jsonl",
    )
    return lab


def test_all_exports_of_one_traffic_are_one_traffic(filled: Lab) -> None:
    # 442 payloads and the 8 billed timeouts that only the database tells of; 407 calls of the client.
    select = "SELECT count(*), count(DISTINCT attempt_id), count(DISTINCT request_id) FROM attempts"
    assert filled.rows(select) == [(450, 450, 407)]


def test_list_costs_are_those_that_litellm_wrote(filled: Lab) -> None:
    """Every attempt with a price costs what LiteLLM says, to a billionth of a dollar (its costs are floats)."""
    compared, differing = filled.rows(
        "SELECT count(*), count(*) FILTER (WHERE abs(list_cost - reported_cost) > 0.000000001) "
        "FROM attempts WHERE list_cost IS NOT NULL AND reported_cost IS NOT NULL"
    )[0]
    assert (compared, differing) == (406, 0)


def test_a_gateway_hit_costs_nothing_and_tells_what_it_saved(filled: Lab) -> None:
    rows = filled.rows(
        "SELECT count(*), sum(list_cost), sum(effective_cost), min(avoided_cost) > 0, min(input_tokens) > 0 "
        "FROM attempts WHERE gateway_cache = 'hit'"
    )
    assert rows == [(14, Decimal(0), Decimal(0), True, True)]


def test_what_has_no_price_is_unknown_and_named(filled: Lab) -> None:
    rows = filled.rows(
        "SELECT price_model, count(*), count(effective_cost) FROM attempts "
        "WHERE list_cost IS NULL AND usage_source <> 'missing' GROUP BY ALL ORDER BY ALL"
    )
    assert rows == [("openai/acme-private-70b", 6, 0), ("openai/acme-private-7b", 6, 0)]


def test_no_user_agent_is_taken_for_a_tag(filled: Lab) -> None:
    assert filled.value("SELECT count(*) FROM attempts WHERE tags::VARCHAR ILIKE '%user-agent%'") == 0
