"""Reads the body of a chat completion, in the shapes that endpoints give it. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from classifier.contract.reply import Reply
from classifier.contract.types import Usage

MOST_TOKENS = 1_000_000_000
"""Of one request; more is a mistake of the endpoint."""

_OWN_WORDS = ("message", "msg", "status_msg", "detail", "reason", "block_reason", "description")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One reply, with the refusal if the model refused. `token_logprobs` is passed on as received, whatever it is."""

    reply: Reply
    refusal: str = ""
    token_logprobs: Any = None


class ErrorReply(Exception):
    """A reply of status 200 that is an error; `body` is what it says, `status` what it should have been."""

    def __init__(self, body: Any, status: int = 500) -> None:
        super().__init__()
        self.body, self.status = body, status


def read_completion(body: bytes) -> tuple[Completion, Usage]:
    """The completion and its tokens. Raises ErrorReply, and ValueError for anything that is not the protocol's."""
    data = _merged(_events(body)) if body.lstrip()[:6].lower() in (b"data: ", b"event:") else json.loads(body)
    if not isinstance(data, Mapping):
        raise ValueError("not an object")
    choice = _choice(data)
    message = choice.get("message") or choice.get("delta") or {"content": choice.get("text")}
    if not isinstance(message, Mapping):
        message = {"content": message}
    reason = choice.get("finish_reason")
    refusal = _text(message.get("refusal")) or ("content filter" if reason == "content_filter" else "")
    reply = Reply(
        content=_text(message.get("content")),
        tool_arguments=tuple(_arguments(message)),
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
        cut_off=reason in ("length", "max_tokens"),
    )
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    return Completion(reply=reply, refusal=refusal, token_logprobs=tokens), token_usage(data, "prompt", "completion")


def token_usage(data: Mapping[str, Any], sent: str, received: str) -> Usage:
    """The tokens of a reply, in fields called `{sent}_tokens` and `{received}_tokens`; 0 where that is no number."""
    usage = data.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return Usage(
        input_tokens=_count(counts.get(f"{sent}_tokens")), output_tokens=_count(counts.get(f"{received}_tokens"))
    )


def raise_if_error(data: Mapping[str, Any]) -> None:
    """Raises ErrorReply if the endpoint says that it could not answer."""
    error = data.get("error") or (data if data.get("object") == "error" else None)
    if error:
        raise ErrorReply({"error": error}, _status(error))


def _choice(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first choice. Raises ErrorReply, in the endpoint's own words where it gives none."""
    raise_if_error(data)
    choices = data.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        choice: Mapping[str, Any] = choices[0]
        raise_if_error(choice)
        return choice
    words = _own_words({name: value for name, value in data.items() if name not in ("choices", "usage")})
    if not words and "choices" not in data:
        raise ValueError("no choices")
    blocked = any(isinstance(value, Mapping) and "block_reason" in value for value in data.values())
    message = words or "It answered without a choice and without a reason."
    raise ErrorReply({"message": message, "code": "content_filter" if blocked else None}, _status(data))


def _status(error: Any) -> int:
    """The HTTP status that an error names as its code; 500 if it names none."""
    code = str(error.get("code")) if isinstance(error, Mapping) else ""
    return int(code) if code.isascii() and code.isdecimal() and 400 <= int(code[:9]) < 600 else 500


def _own_words(value: Any) -> str:
    """What an endpoint says in the fields where endpoints say why."""
    if isinstance(value, list):
        return next(filter(None, map(_own_words, value)), "")
    if not isinstance(value, Mapping):
        return ""
    found = [text for name in _OWN_WORDS if isinstance(text := value.get(name), str) and text]
    return found[0] if found else next(filter(None, map(_own_words, value.values())), "")


def _text(content: Any) -> str:
    """The text of a message's field: a string, parts without the thoughts, or an object, which may be the answer."""
    match content:
        case str():
            return content
        case list():
            return "".join(_text(part) for part in content)
        case {"type": "thinking" | "reasoning" | "redacted_thinking" | "reasoning_content"}:
            return ""
        case {"text": str() | list() | dict() as text} | {"value": str() as text} | {"parts": list() as text}:
            return _text(text)
        case {"refusal": str() as text} | {"content": str() | list() as text} | {"json": dict() as text}:
            return _text(text)
        case dict():
            return json.dumps(content) if content else ""
    return ""


def _arguments(message: Mapping[str, Any]) -> Iterable[str]:
    calls = message.get("tool_calls")
    for call in [*(calls if isinstance(calls, list) else []), {"function": message.get("function_call")}]:
        match call:
            case {"function": {"arguments": str() | dict() as arguments}}:
                yield _text(arguments) if isinstance(arguments, str) else json.dumps(arguments)


def _count(value: Any) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value <= MOST_TOKENS else 0


def _events(body: bytes) -> Iterable[Mapping[str, Any]]:
    """The events of a stream that nobody asked for."""
    for line in body.decode().splitlines():
        name, _colon, value = line.partition(":")
        if name == "data" and value.strip() not in ("", "[DONE]"):
            event = json.loads(value)
            if isinstance(event, Mapping):
                yield event


def _merged(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The completion that a stream of events adds up to."""
    merged: dict[str, Any] = {}
    texts: dict[str, str] = {}
    arguments: dict[Any, str] = {}
    reason, choices = None, []
    for event in events:
        merged |= event
        for choice in event.get("choices") or []:
            if choice.get("index"):
                continue
            choices, reason = [choice], choice.get("finish_reason") or reason
            delta = choice.get("delta") or choice.get("message") or {}
            for name in ("content", "reasoning_content", "reasoning", "refusal"):
                texts[name] = texts.get(name, "") + _text(delta.get(name))
            for call in delta.get("tool_calls") or []:
                place, more = call.get("index"), (call.get("function") or {}).get("arguments")
                arguments[place] = arguments.get(place, "") + _text(more)
    if choices:
        calls = [{"function": {"arguments": text}} for text in arguments.values()]
        merged["choices"] = [{"message": texts | {"tool_calls": calls}, "finish_reason": reason}]
    return merged
