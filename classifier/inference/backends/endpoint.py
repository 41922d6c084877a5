"""One model behind an OpenAI-compatible URL, with a concurrency limit, timeouts, retries and a circuit breaker."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

import openai

from classifier.contract.types import ClassifierError, FailureKind
from classifier.inference.backends import connections
from classifier.inference.backends.circuit_breaker import Breaker
from classifier.retry_after import retry_after

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
LONGEST_RETRY_AFTER = 20.0
"""Seconds. If an endpoint asks for a longer pause, the ticket is retried later instead."""

_RETRYABLE = {408, 409, 425, 429}
_MALFORMED_REPLY = (ValueError, TypeError, AttributeError, IndexError, KeyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One reply: text, finish reason, refusal, tokens, and milliseconds of the last attempt.

    `token_logprobs` is passed on as received, whatever it is.
    """

    content: str
    finish_reason: str
    refusal: str
    input_tokens: int
    output_tokens: int
    latency_ms: float
    token_logprobs: Any


class Endpoint:
    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        api_key_env: str,
        model: str,
        timeout: float,
        max_in_flight: int,
        addresses: connections.Resolver,
    ) -> None:
        self.model = model
        # Kept here because classifiers are rebuilt whenever a model's row changes.
        self.takes_logprobs = True
        self._base_url = base_url
        self._api_key = api_key
        self._api_key_env = api_key_env
        self._timeout = timeout
        self._slots = asyncio.Semaphore(max_in_flight)
        self._breaker = Breaker()
        # The SDK refuses an empty key; servers without keys ignore this one.
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or "none",
            timeout=timeout,
            max_retries=0,
            http_client=connections.http_client(addresses),
        )

    async def complete(self, **parameters: Any) -> Completion:
        """Send a request and retry transient failures. Raises ClassifierError."""
        for tries_left in range(TRIES - 1, -1, -1):
            try:
                return await self._attempt(parameters)
            except ClassifierError as error:
                if error.permanent or not tries_left or (error.retry_after or 0) > LONGEST_RETRY_AFTER:
                    raise
                await asyncio.sleep(_pause(TRIES - 1 - tries_left, error.retry_after))
        raise AssertionError("unreachable")

    async def _attempt(self, parameters: dict[str, Any]) -> Completion:
        """One request. It holds a slot only while it runs, so a retry's pause blocks nobody."""
        async with self._slots:
            if wait := self._breaker.wait():
                raise ClassifierError(
                    f"{self.model} keeps failing and is paused for {wait:.0f} s.",
                    kind=FailureKind.UNREACHABLE,
                    retry_after=max(wait, LONGEST_RETRY_AFTER + 1),
                )
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._client.chat.completions.create(model=self.model, **parameters)
                completion = _completion(reply, begun)
            except (openai.OpenAIError, TimeoutError, *_MALFORMED_REPLY) as fault:
                error = self._classifier_error(fault)
                if error.permanent or error.kind == FailureKind.RATE_LIMITED:
                    self._breaker.succeeded()
                else:
                    self._breaker.failed()
                raise error from fault
            self._breaker.succeeded()
            return completion

    def _classifier_error(self, fault: Exception) -> ClassifierError:
        match fault:
            case openai.APITimeoutError() | TimeoutError():
                return ClassifierError(
                    f"{self.model} did not answer within {self._timeout:g} s.", kind=FailureKind.TIMEOUT
                )
            case openai.APIConnectionError(__cause__=ClassifierError() as refused):
                return refused
            case openai.APIConnectionError():
                return ClassifierError(
                    f"No connection to {self._base_url} ({fault.__cause__ or fault}). Check the URL and the network.",
                    kind=FailureKind.UNREACHABLE,
                )
            case openai.APIStatusError():
                return self._status_error(fault)
        return ClassifierError(
            f"{self._base_url} answered, but not in the OpenAI protocol. Check that the URL ends with the version.",
            kind=FailureKind.FOREIGN_REPLY,
        )

    def _status_error(self, fault: openai.APIStatusError) -> ClassifierError:
        status, reason = fault.status_code, self._without_key(_reason(fault))
        if status in (401, 403):
            where = f"the key in {self._api_key_env}" if self._api_key_env else "the provider's key variable"
            return ClassifierError(
                f"{status}: {self.model} refused the request; check {where}. {reason}",
                kind=FailureKind.WRONG_KEY,
                permanent=True,
            )
        if status in _RETRYABLE or status >= 500:
            kind = FailureKind.RATE_LIMITED if status == 429 else FailureKind.SERVER_ERROR
            return ClassifierError(f"{status}: {reason}", kind=kind, retry_after=retry_after(fault.response.headers))
        hint = "Check the base URL and the model's name. " if status == 404 else ""
        return ClassifierError(f"{status}: {hint}{reason}", kind=FailureKind.REJECTED, permanent=True)

    def _without_key(self, reason: str) -> str:
        """Some endpoints quote the key that they refuse."""
        return reason.replace(self._api_key, "[key]") if self._api_key else reason


def _completion(reply: Any, begun: float) -> Completion:
    choice = reply.choices[0]
    usage = reply.usage
    return Completion(
        content=choice.message.content or "",
        finish_reason=choice.finish_reason or "",
        refusal=getattr(choice.message, "refusal", None) or "",
        input_tokens=int((usage and usage.prompt_tokens) or 0),
        output_tokens=int((usage and usage.completion_tokens) or 0),
        latency_ms=(time.perf_counter() - begun) * 1000,
        token_logprobs=getattr(getattr(choice, "logprobs", None), "content", None),
    )


def _reason(fault: openai.APIStatusError) -> str:
    """The endpoint's error message on one line of limited length."""
    body = fault.body
    message = body.get("message") if isinstance(body, dict) else body
    return " ".join(str(message or fault.message).split())[:300]


def _pause(tries: int, asked_for: float | None) -> float:
    """Seconds before the next attempt: what the endpoint asked for, else exponential backoff; both with jitter."""
    if asked_for is not None:
        return asked_for + random.uniform(0, 0.25)  # noqa: S311 - no secret hangs on it
    return min(FIRST_PAUSE * 2.0**tries, LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 - no secret hangs on it
