"""Finds out how an endpoint has to be asked, from what it refuses. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from classifier.contract.prompt import more_tokens
from classifier.contract.types import ClassifierError, Contract, Dialect, FailureKind, Feature, JsonMode, ProviderFault

_SIMPLER = {JsonMode.SCHEMA: JsonMode.OBJECT, JsonMode.OBJECT: JsonMode.NONE}
_LAST_MODE = {JsonMode.UNKNOWN: JsonMode.NONE, JsonMode.SCHEMA: JsonMode.OBJECT}
_SDK_ARGUMENTS = ("temperature", "max_tokens", "max_completion_tokens")

_REFUSALS = {
    Feature.LOGPROBS: re.compile(r"logprob", re.IGNORECASE),
    Feature.SYSTEM_ROLE: re.compile(r"\bsystem\b.*\b(role|prompt|message|instruction)|developer instruction", re.I),
    Feature.MAX_TOKENS: re.compile(
        r"max_completion_tokens|(unsupported|unknown|unrecogni[sz]ed|deprecated).*max_tokens|max_tokens.*not supported",
        re.IGNORECASE,
    ),
    Feature.TEMPERATURE: re.compile(r"temperature", re.IGNORECASE),
}
_FORMAT = re.compile(r"response_format|json[_ ](schema|object|mode)|structured output|requested parameters", re.I)


def is_about_a_feature(words: str) -> bool:
    """Whether a refusal names a part of the request that can be left out."""
    return any(pattern.search(words) for pattern in (*_REFUSALS.values(), _FORMAT))


def first_dialect(known: Dialect) -> Dialect:
    """What to try first: the strictest JSON mode, unless the mode is known."""
    return replace(known, json_mode=JsonMode.SCHEMA) if known.json_mode == JsonMode.UNKNOWN else known


def simpler_dialect(
    tried: Dialect, known: Dialect, error: ClassifierError, request: Mapping[str, Any]
) -> Dialect | None:
    """What to try next after this refusal of `request`; None if nothing is left to try.

    A feature that the refusal names is left out first. Then the JSON mode gets less strict: down to none while it is
    unknown, and only one step for a single request where it is known, since an endpoint may refuse one text or schema.
    """
    if error.kind == FailureKind.REJECTED:
        for feature, pattern in _REFUSALS.items():
            if feature not in tried.unsupported and _uses(request, feature) and pattern.search(str(error)):
                return replace(tried, unsupported=tried.unsupported | {feature})
        last = _LAST_MODE.get(known.json_mode)
    else:
        fails_here = error.kind == FailureKind.SERVER_ERROR and not isinstance(error, ProviderFault)
        last = JsonMode.OBJECT if fails_here and known.json_mode == JsonMode.UNKNOWN else None
    if last in (None, tried.json_mode):
        return None
    return replace(tried, json_mode=_SIMPLER[tried.json_mode])


def request_in(
    dialect: Dialect,
    conversation: list[dict[str, str]],
    contract: Contract,
    parameters: Mapping[str, Any],
    *,
    logprobs: bool,
) -> dict[str, Any]:
    """The SDK's arguments for a request in this dialect."""
    unsupported, wanted = dialect.unsupported, dict(parameters)
    if "max_tokens" in wanted:
        wanted["max_tokens"] += more_tokens(contract)
    if Feature.TEMPERATURE in unsupported:
        wanted.pop("temperature", None)
    if Feature.MAX_TOKENS in unsupported and "max_tokens" in wanted:
        wanted["max_completion_tokens"] = wanted.pop("max_tokens")
    folds = Feature.SYSTEM_ROLE in unsupported
    request: dict[str, Any] = {"messages": _without_system_role(conversation) if folds else conversation}
    if dialect.json_mode != JsonMode.NONE:
        request["response_format"] = _response_format(dialect.json_mode, contract)
    if logprobs and Feature.LOGPROBS not in unsupported:
        request["logprobs"] = True
    # The SDK has arguments for some parameters; the others go into the request body.
    named = {name: wanted.pop(name) for name in _SDK_ARGUMENTS if name in wanted}
    return request | named | ({"extra_body": wanted} if wanted else {})


def _uses(request: Mapping[str, Any], feature: Feature) -> bool:
    match feature:
        case Feature.SYSTEM_ROLE:
            return bool(request["messages"][0]["role"] == "system")
        case Feature.LOGPROBS:
            return "logprobs" in request
    return feature.value in request


def _response_format(mode: JsonMode, contract: Contract) -> dict[str, Any]:
    if mode == JsonMode.OBJECT:
        return {"type": mode.value}
    schema = {"name": "ticket_labels", "strict": True, "schema": contract.answer_schema}
    return {"type": mode.value, "json_schema": schema}


def _without_system_role(conversation: list[dict[str, str]]) -> list[dict[str, str]]:
    system, asked, *more = conversation
    return [asked | {"content": f"{system['content']}\n\n{asked['content']}"}, *more]
