"""Writes gateway requests the way LiteLLM 1.106 logs them: StandardLoggingPayload records.

Prompts and answers are absent, as with message logging turned off.
"""

import hashlib
from typing import Any

from company import Model
from prices import as_float
from traffic import Attempt, Request

Json = dict[str, Any]

AGENT = "openai-python/2.9.0"
_AGENT_TAGS = ["User-Agent: openai-python", f"User-Agent: {AGENT}"]
ADDRESS = "10.20.4.17"
_REDACTED = "redacted-by-litellm"
_DISCONNECTED = "Client disconnected the request"
_SECOND = 10**6


def payloads(request: Request) -> list[Json]:
    """Return the records of one request: that of a failed attempt, if one was made, and that of the answer."""
    return [_payload(request, attempt) for attempt in request.attempts]


def record_id(request: Request, attempt: Attempt) -> str:
    """Return the id that the gateway gives a record: the provider's on success, the call's own on failure."""
    if attempt.failure or call_type(attempt.model) == "aembedding":
        return request.call_id
    prefix = "" if attempt.model.provider == "gemini" else "chatcmpl-"
    suffix = f"_cache_hit{attempt.started / _SECOND}" if request.outcome == "hit" else ""
    return f"{prefix}{attempt.answer}{suffix}"


def call_type(model: Model) -> str:
    """Return LiteLLM's name of the operation."""
    return "aembedding" if "embedding" in model.logged else "acompletion"


def api_base(model: Model) -> str:
    """Return the address that the gateway called."""
    if model.provider != "openai":
        return model.api_base
    return f"{model.api_base}/{'embeddings' if call_type(model) == 'aembedding' else 'chat/completions'}"


def key_hash(alias: str) -> str:
    """Return the hash under which the gateway knows an API key."""
    return hashlib.sha256(f"sk-{alias}".encode()).hexdigest()


def team_id(team: str) -> str:
    """Return the gateway's id of a team."""
    return f"team-{hashlib.sha256(team.encode()).hexdigest()[:6]}"


def usage(attempt: Attempt) -> Json:
    """Return LiteLLM's usage object: prompt tokens include cache reads and writes for every provider."""
    tokens, model = attempt.tokens, attempt.model
    if attempt.failure:
        return {}
    counts: Json = {
        "completion_tokens": tokens.completion,
        "prompt_tokens": tokens.prompt,
        "total_tokens": tokens.prompt + tokens.completion,
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "text_tokens": tokens.text},
        "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": tokens.read, "text_tokens": tokens.uncached},
    }
    if call_type(model) == "aembedding":
        return {**counts, "completion_tokens_details": None, "prompt_tokens_details": None}
    if model.caches_explicitly:
        written = tokens.write_5m + tokens.write_1h
        details = counts["prompt_tokens_details"]
        details |= {"cache_write_tokens": written, "cache_creation_tokens": written}
        if model.provider == "anthropic":
            details["cache_creation_token_details"] = {
                "ephemeral_5m_input_tokens": tokens.write_5m,
                "ephemeral_1h_input_tokens": tokens.write_1h,
            }
        counts |= {"cache_creation_input_tokens": written, "cache_read_input_tokens": tokens.read}
    return counts


def cost_breakdown(attempt: Attempt) -> Json | None:
    """Return the gateway's cost split; its input cost includes the cache."""
    if attempt.failure:
        return None
    rates, tokens = attempt.model.rates, attempt.tokens
    costs: Json = {
        "input_cost": as_float(rates.input_cost(tokens)),
        "output_cost": as_float(rates.output_cost(tokens)),
        "total_cost": as_float(rates.cost(tokens)),
        "tool_usage_cost": 0.0,
        "service_tier": None,
    }
    if tokens.read:
        costs["cache_read_cost"] = as_float(rates.read_cost(tokens))
    if tokens.write_5m:
        costs["cache_creation_cost"] = as_float(rates.write_cost(tokens))
    return {**costs, "original_cost": costs["total_cost"], "discount_percent": 0.0, "margin_percent": 0.0}


def error_information(request: Request, attempt: Attempt) -> Json:
    """Return the error block: empty texts on success, and a code that is not always an HTTP status."""
    failure = attempt.failure
    empty = {"error_provider_request_id": None, "error_rate_limit_category": None, "normalized_error": None}
    if request.outcome == "cancelled":
        return {"error_code": "499", "error_message": _DISCONNECTED, "error_class": "ClientDisconnected"}
    if failure is None:
        texts = ("error_code", "error_class", "llm_provider", "traceback", "error_message")
        return {**dict.fromkeys(texts, ""), **empty}
    return {
        "error_code": failure.code,
        "error_class": failure.error_class,
        "llm_provider": attempt.model.provider,
        "traceback": "",
        "error_message": error_text(attempt),
        "error_provider_request_id": None,
        "error_rate_limit_category": "vendor_rate_limit" if failure.http_status == 429 else None,
        "normalized_error": failure.normalized,
    }


def error_text(attempt: Attempt) -> str | None:
    """Return the message of a failed attempt as LiteLLM words it."""
    if attempt.failure is None:
        return None
    name = attempt.failure.error_class
    return f"litellm.{name}: {name}: {attempt.model.provider.title()}Exception - {attempt.failure.message}"


def request_tags(request: Request) -> list[str]:
    """Return the request's tags with the two that LiteLLM adds about the client."""
    return [*_own_tags(request), *_AGENT_TAGS]


def labels(request: Request, tagging: str) -> Json | None:
    """Return feature and cohort where the application sends them in this way, else None."""
    if request.feature.tagging != tagging:
        return None
    return {"feature": request.feature.name, "cohort": request.cohort}


def _own_tags(request: Request) -> list[str]:
    return [f"{name}:{value}" for name, value in (labels(request, "tags") or {}).items()]


def _payload(request: Request, attempt: Attempt) -> Json:
    hit, model, tokens = request.outcome == "hit", attempt.model, attempt.tokens
    price = as_float(model.rates.cost(tokens))
    failed = attempt.failure is not None
    first = attempt.first_token or attempt.ended
    status = "failure" if failed else "success"
    return {
        "id": record_id(request, attempt),
        "litellm_call_id": request.call_id,
        "trace_id": request.session or request.call_id,
        "session_id": "",
        "call_type": call_type(model),
        "cache_hit": True if hit else (False if failed or request.stream else None),
        "stream": True if request.stream else None,
        "status": status,
        "status_fields": {"llm_api_status": status, "guardrail_status": "not_run"},
        "custom_llm_provider": model.provider,
        "saved_cache_cost": price if hit else 0.0,
        "startTime": attempt.started / _SECOND,
        "endTime": attempt.ended / _SECOND,
        "completionStartTime": first / _SECOND,
        "response_time": (first - attempt.started) / _SECOND,
        "model": model.logged,
        "metadata": _metadata(request, attempt),
        "cache_key": None,
        "response_cost": 0.0 if hit else price,
        "cost_breakdown": cost_breakdown(attempt),
        "autorouter_savings": None,
        "autorouter_savings_estimate": None,
        "autorouter_baseline_observation": None,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        **_tail(request, attempt, price),
    }


def _tail(request: Request, attempt: Attempt, price: float) -> Json:
    cancelled = _DISCONNECTED if request.outcome == "cancelled" else None
    return {
        "request_tags": request_tags(request),
        "request_model_access_groups": [],
        "end_user": request.user,
        "api_base": api_base(attempt.model),
        "model_group": attempt.group,
        "model_id": attempt.model.deployment_id,
        "requester_ip_address": ADDRESS,
        "user_agent": AGENT,
        "messages": [{"role": "user", "content": _REDACTED}],
        "response": {} if attempt.failure else {"text": _REDACTED},
        "model_parameters": {"stream": request.stream, "user": request.user},
        "hidden_params": _hidden_params(request, attempt, price),
        "model_map_information": {"model_map_key": attempt.model.logged, "model_map_value": {}},
        "error_str": cancelled or error_text(attempt),
        "error_information": error_information(request, attempt),
        "response_cost_failure_debug_info": None,
        "zero_cost_diagnostic": None,
        "guardrail_information": None,
        "standard_built_in_tools_params": {"web_search_options": None, "file_search": None},
    }


def _metadata(request: Request, attempt: Attempt) -> Json:
    feature = request.feature
    embedding = call_type(attempt.model) == "aembedding"
    return {
        "user_api_key_hash": key_hash(feature.key),
        "user_api_key_alias": feature.key,
        "user_api_key_spend": 0.0,
        "user_api_key_max_budget": None,
        "user_api_key_team_id": team_id(feature.team),
        "user_api_key_org_id": None,
        "user_api_key_project_id": None,
        "user_api_key_user_id": f"svc-{feature.team}",
        "user_api_key_team_alias": feature.team,
        "user_api_key_user_email": None,
        "user_api_key_end_user_id": request.user,
        "user_api_key_request_route": "/v1/embeddings" if embedding else "/v1/chat/completions",
        "spend_logs_metadata": labels(request, "spend_logs_metadata"),
        "requester_ip_address": ADDRESS,
        "user_agent": AGENT,
        "requester_metadata": _requester_metadata(request),
        "prompt_management_metadata": None,
        "applied_guardrails": [],
        "mcp_tool_call_metadata": None,
        "vector_store_request_metadata": None,
        "routing_decision": _routing_decision(request),
        "usage_object": usage(attempt),
        "requester_custom_headers": {},
        "cold_storage_object_key": None,
        "user_api_key_auth_metadata": {},
        "team_alias": None,
        "team_id": None,
        "used_client_oauth_token": False,
    }


def _requester_metadata(request: Request) -> Json:
    """Return the body's `metadata` as the client sent it, and the headers that LiteLLM adds."""
    sent: Json = {}
    if tags := _own_tags(request):
        sent["tags"] = tags
    sent |= labels(request, "metadata") or {}
    if nested := labels(request, "spend_logs_metadata"):
        sent["spend_logs_metadata"] = nested
    if request.session:
        sent["session_id"] = request.session
    headers = {"host": "llm.internal:4000", "user-agent": AGENT, "content-type": "application/json"}
    return {**sent, "headers": headers, "used_client_oauth_token": False}


def _routing_decision(request: Request) -> Json | None:
    """Return what the auto-router says about its choice; the router's names of tiers are LiteLLM's."""
    if not request.feature.router:
        return None
    model = request.attempts[0].model
    tier = {"claude-haiku": "SIMPLE", "claude-sonnet": "MEDIUM"}.get(model.group, "COMPLEX")
    return {
        "router_model_name": request.feature.router,
        "router_type": "complexity",
        "routed_model": model.group,
        "cause": "score",
        "tier": tier,
        "score": int((1 - request.score) * 100) / 100,
        "signals": [],
        "conversation_continuing": False,
    }


def _hidden_params(request: Request, attempt: Attempt, price: float) -> Json:
    return {
        "model_id": None if attempt.failure else attempt.model.deployment_id,
        "cache_key": None,
        "api_base": None if attempt.failure else attempt.model.api_base,
        "response_cost": price,
        "additional_headers": _headers(request, attempt),
        "litellm_overhead_time_ms": None,
        "batch_models": None,
        "litellm_model_name": None if attempt.failure or request.stream else attempt.model.logged,
        "usage_object": None,
    }


def _headers(request: Request, attempt: Attempt) -> Json:
    """Return the response headers; the gateway tells of retries and fallbacks on unstreamed answers only."""
    if attempt.failure:
        return {"retry-after": "0", "content-type": "application/json; charset=utf-8"}
    if request.stream:
        return {"llm_provider-content-type": "text/event-stream", "request-id": f"req_{attempt.answer}"}
    told = {
        "x-litellm-model-group": attempt.group,
        "x-litellm-attempted-retries": request.retries,
        "x-litellm-attempted-fallbacks": request.fallbacks,
    }
    if request.outcome == "hit":
        return told
    return {"llm_provider-request-id": f"req_{attempt.answer}", "request-id": f"req_{attempt.answer}", **told}
