"""One model behind an OpenAI-compatible URL, with a concurrency limit, timeouts, retries and a circuit breaker."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import httpx2
import openai

from classifier.contract.types import ClassifierError, FailureKind, ProviderFault, Usage
from classifier.inference.backends import connections, faults
from classifier.inference.backends.circuit_breaker import Breaker
from classifier.inference.backends.completion import Completion, ErrorReply, read_completion
from classifier.inference.backends.decision import Decision, read_decision
from classifier.inference.backends.head_start import HeadStart
from classifier.inference.backends.remote_model import RemoteModel

T = TypeVar("T")

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
LONGEST_RETRY_AFTER = 20.0
"""Seconds. If an endpoint asks for a longer pause, the ticket is retried later instead."""

_MALFORMED_REPLY = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


Create = Callable[..., Awaitable[Any]]
"""A method of the SDK that sends a request and returns the raw response."""


class Endpoint:
    def __init__(self, model: RemoteModel) -> None:
        self.model = model
        self._slots = asyncio.Semaphore(model.max_in_flight)
        self._head_start = HeadStart()
        self._breaker = Breaker()
        # The SDK refuses an empty key; servers without keys ignore this one.
        self._client = openai.AsyncOpenAI(
            base_url=model.base_url,
            api_key=model.key or "none",
            timeout=model.timeout,
            max_retries=0,
            http_client=connections.http_client(model.addresses),
        )

    @property
    def faults(self) -> int:
        """How many faults of the provider there have been so far."""
        return self._head_start.faults

    async def complete(self, *, known_faults: int, tries: int = TRIES, **parameters: Any) -> tuple[Completion, Usage]:
        """Ask for a chat completion."""
        create = self._client.chat.completions.with_raw_response.create
        return await self._ask(create, read_completion, known_faults, tries, parameters)

    async def decide(self, *, known_faults: int, **parameters: Any) -> tuple[Decision, Usage]:
        """Ask for decisions: a probability for each option of each question."""
        create = self._client.decisions.with_raw_response.create
        return await self._ask(create, read_decision, known_faults, TRIES, parameters)

    async def _ask(
        self, create: Create, read: Callable[[bytes], tuple[T, Usage]], known_faults: int, tries: int, parameters: Any
    ) -> tuple[T, Usage]:
        """Send a request and retry transient failures. Raises ClassifierError, without a request if the provider had a
        fault since there were `known_faults`.
        """
        sent = 0
        while True:
            try:
                # A slot is held only while a request runs, so a retry's pause blocks nobody.
                async with self._slots, self._head_start.turn(known_faults):
                    self._check_breaker()
                    sent += 1
                    answer, usage = await self._send(create, read, parameters)
                    return answer, replace(usage, requests=sent)
            except ClassifierError as error:
                error.usage = Usage(requests=sent)
                if error.permanent or sent >= tries or (error.retry_after or 0) > LONGEST_RETRY_AFTER:
                    raise
                known_faults = self.faults
                await asyncio.sleep(_pause(sent, error.retry_after))

    def _check_breaker(self) -> None:
        if wait := self._breaker.wait():
            raise ClassifierError(
                f"{self.model.name} keeps failing and is paused for {wait:.0f} s.",
                kind=FailureKind.UNREACHABLE,
                retry_after=max(wait, LONGEST_RETRY_AFTER + 1),
            )

    async def _send(
        self, create: Create, read: Callable[[bytes], tuple[T, Usage]], parameters: dict[str, Any]
    ) -> tuple[T, Usage]:
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self.model.timeout):
                response = await create(model=self.model.name, **parameters)
            answer, usage = read(response.content)
        except (openai.OpenAIError, ErrorReply, TimeoutError, *_MALFORMED_REPLY) as fault:
            error = self._classifier_error(fault)
            if error.permanent or error.kind == FailureKind.RATE_LIMITED:
                self._breaker.succeeded()
            else:
                self._breaker.failed()
            raise error from fault
        self._breaker.succeeded()
        return answer, replace(usage, latency_ms=(time.perf_counter() - begun) * 1000)

    def _classifier_error(self, fault: Exception) -> ClassifierError:
        match fault:
            case openai.APITimeoutError() | TimeoutError():
                return ClassifierError(
                    f"{self.model.name} did not answer within {self.model.timeout:g} s.", kind=FailureKind.TIMEOUT
                )
            case openai.APIConnectionError(__cause__=ClassifierError() as refused):
                return refused
            case openai.APIConnectionError():
                return self._connection_error(fault)
            case openai.APIStatusError():
                return faults.status_error(self.model, fault.status_code, fault.body, fault.response.headers)
            case ErrorReply():
                return faults.status_error(self.model, fault.status, fault.body, {})
        return ClassifierError(
            f"{self.model.base_url} answered, but not in the OpenAI protocol. "
            "Check that the URL ends with the version.",
            kind=FailureKind.FOREIGN_REPLY,
        )

    def _connection_error(self, fault: openai.APIConnectionError) -> ClassifierError:
        cause = fault.__cause__ or fault
        message = f"No connection to {self.model.base_url} ({cause}). Check the URL and the network."
        if isinstance(cause, httpx2.ConnectError):
            return ProviderFault(message, kind=FailureKind.UNREACHABLE, words=str(cause), permanent=False)
        return ClassifierError(message, kind=FailureKind.UNREACHABLE)


def _pause(sent: int, asked_for: float | None) -> float:
    """Seconds before the next attempt: what the endpoint asked for, else exponential backoff; both with jitter."""
    if asked_for is not None:
        return asked_for + random.uniform(0, 0.25)  # noqa: S311 - no secret hangs on it
    return min(FIRST_PAUSE * 2.0 ** (sent - 1), LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 - no secret hangs on it
