"""Writes gateway requests as an export of the table LiteLLM_SpendLogs: one row a request, its final outcome."""

import json

from company import SECOND, when
from litellm_logs import (
    ADDRESS,
    AGENT,
    Json,
    api_base,
    call_type,
    cost_breakdown,
    error_information,
    key_hash,
    labels,
    record_id,
    request_tags,
    team_id,
    usage,
)
from prices import as_float
from traffic import Request

COLUMNS = (
    "request_id",
    "call_type",
    "api_key",
    "spend",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "startTime",
    "endTime",
    "completionStartTime",
    "model",
    "model_id",
    "model_group",
    "custom_llm_provider",
    "api_base",
    "user",
    "metadata",
    "cache_hit",
    "cache_key",
    "request_tags",
    "team_id",
    "end_user",
    "requester_ip_address",
    "messages",
    "response",
    "proxy_server_request",
    "session_id",
    "status",
    "mcp_namespaced_tool_name",
    "agent_id",
    "request_duration_ms",
    "created_at",
    "updated_at",
    "litellm_call_id",
    "billing_agent_id",
)
"""Columns of the LiteLLM_SpendLogs table, in the order that PostgreSQL exports them."""


def estimated_prompt(request: Request) -> int:
    """Return the prompt tokens of a final failure: it has no usage, so the proxy writes an estimate of its own."""
    return request.feature.prompt // 50 * 40


def row(request: Request) -> Json:
    """Return the one row that LiteLLM_SpendLogs keeps of a request: its final outcome."""
    attempt, feature = request.final, request.feature
    tokens, hit = attempt.tokens, request.outcome == "hit"
    prompt = estimated_prompt(request) if attempt.failure else tokens.prompt
    return {
        **dict.fromkeys(COLUMNS, ""),
        "request_id": record_id(request, attempt),
        "call_type": call_type(attempt.model),
        "api_key": key_hash(feature.key),
        "spend": "0" if hit else str(as_float(request.picodollars)),
        "total_tokens": prompt + tokens.completion,
        "prompt_tokens": prompt,
        "completion_tokens": tokens.completion,
        "startTime": _stamp(attempt.started),
        "endTime": _stamp(attempt.ended),
        "completionStartTime": _stamp(attempt.first_token or attempt.ended),
        "model": attempt.model.logged,
        "model_id": attempt.model.deployment_id,
        "model_group": attempt.group,
        "custom_llm_provider": attempt.model.provider,
        "api_base": api_base(attempt.model),
        "user": f"svc-{feature.team}",
        "metadata": json.dumps(_metadata(request)),
        "cache_hit": "True" if hit else "None",
        "cache_key": "Cache OFF",
        "request_tags": json.dumps(request_tags(request)),
        "team_id": team_id(feature.team),
        "end_user": request.user,
        "requester_ip_address": ADDRESS,
        **dict.fromkeys(("messages", "response", "proxy_server_request"), "{}"),
        "session_id": request.session or request.call_id,
        "status": "failure" if attempt.failure else "success",
        "request_duration_ms": (attempt.ended - attempt.started) // 1000,
        "created_at": _stamp(attempt.ended + 4 * SECOND),
        "updated_at": _stamp(attempt.ended + 4 * SECOND),
        "litellm_call_id": request.call_id,
    }


def _metadata(request: Request) -> Json:
    attempt, feature = request.final, request.feature
    failed = attempt.failure is not None
    troubled = failed or request.outcome == "cancelled"
    return {
        "status": "failure" if failed else None,
        "user_agent": AGENT,
        "max_retries": 2,
        "usage_object": usage(attempt),
        "user_api_key": key_hash(feature.key),
        "cost_breakdown": cost_breakdown(attempt),
        "litellm_call_id": request.call_id,
        "routing_decision": None,
        "attempted_retries": request.retries,
        "error_information": error_information(request, attempt) if troubled else None,
        "user_api_key_alias": feature.key,
        "attempted_fallbacks": request.fallbacks,
        "spend_logs_metadata": labels(request, "spend_logs_metadata"),
        "original_model_group": attempt.group,
        "user_api_key_team_id": team_id(feature.team),
        "user_api_key_user_id": f"svc-{feature.team}",
        "model_map_information": {"model_map_key": attempt.model.logged, "model_map_value": {}},
        "user_api_key_team_alias": feature.team,
    }


def _stamp(microseconds: int) -> str:
    """Return a moment as PostgreSQL prints timestamp(3) without time zone."""
    return f"{when(microseconds):%Y-%m-%d %H:%M:%S}.{microseconds // 1000 % 1000:03d}".rstrip("0").rstrip(".")
