"""One model behind an OpenAI-compatible URL, with a concurrency limit, timeouts and retries."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import httpx2
import openai

from classifier.contract.types import ClassifierError, FailureKind, ProviderFault, Usage
from classifier.inference.backends import connections, faults
from classifier.inference.backends.completion import Completion, ErrorReply, read_completion
from classifier.inference.backends.decision import Decision, read_decision
from classifier.inference.backends.head_start import HeadStart
from classifier.inference.backends.remote_model import RemoteModel
from classifier.inference.backends.suspicion import Suspicion

T = TypeVar("T")

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
LONGEST_RETRY_AFTER = 20.0
"""Seconds. If an endpoint asks for a longer pause, the ticket is retried later instead."""

_MALFORMED_REPLY = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


Parameters = Mapping[str, Any]
"""The SDK's arguments for a request."""

Create = Callable[..., Awaitable[Any]]
"""A method of the SDK that sends a request and returns the raw response."""

Harmless = Callable[[], Parameters]
"""Makes the arguments that ask about a text which gives a working endpoint no difficulties."""

Send = Callable[[Parameters], Awaitable[tuple[T, Usage]]]
"""Sends a request and reads the reply. Raises ClassifierError."""


class Endpoint:
    def __init__(self, model: RemoteModel) -> None:
        self.model = model
        self._slots = asyncio.Semaphore(model.max_in_flight)
        self._head_start = HeadStart()
        self._suspicion = Suspicion()
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

    async def complete(
        self, *, known_faults: int, harmless: Harmless, tries: int = TRIES, **parameters: Any
    ) -> tuple[Completion, Usage]:
        """Ask for a chat completion."""
        create = self._client.chat.completions.with_raw_response.create
        return await self._ask(partial(self._send, create, read_completion), known_faults, harmless, tries, parameters)

    async def decide(self, *, known_faults: int, harmless: Harmless, **parameters: Any) -> tuple[Decision, Usage]:
        """Ask for decisions: a probability for each option of each question."""
        create = self._client.decisions.with_raw_response.create
        return await self._ask(partial(self._send, create, read_decision), known_faults, harmless, TRIES, parameters)

    async def _ask(
        self, send: Send[T], known_faults: int, harmless: Harmless, tries: int, parameters: Parameters
    ) -> tuple[T, Usage]:
        """Send a request and retry transient failures. Raises ClassifierError, without a request if the provider had a
        fault since there were `known_faults`.
        """
        spent = Usage()
        while True:
            try:
                # A slot is held only while a request runs, so a retry's pause blocks nobody.
                async with self._slots, self._head_start.turn(known_faults):
                    spent = spent.plus(Usage(requests=1))
                    try:
                        answer, usage = await send(parameters)
                        return answer, spent.plus(usage)
                    except ClassifierError as error:
                        if _may_be_the_providers(error, last=_is_last(error, spent, tries)):
                            probe = partial(self._probe, send, harmless(), known_faults)
                            is_probe = parameters == harmless()
                            spent = spent.plus(await self._suspicion.report(error, None if is_probe else probe))
                        raise
            except ClassifierError as error:
                error.usage = spent
                if _is_last(error, spent, tries):
                    raise
                known_faults = self.faults
                await asyncio.sleep(_pause(spent.requests, error.retry_after))

    async def _probe(self, send: Send[T], harmless: Parameters, known_faults: int) -> Usage:
        self._head_start.check(known_faults)
        _answer, usage = await send(harmless)
        return replace(usage, requests=1, latency_ms=0.0)

    async def _send(
        self, create: Create, read: Callable[[bytes], tuple[T, Usage]], parameters: Parameters
    ) -> tuple[T, Usage]:
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self.model.timeout):
                response = await create(model=self.model.name, **parameters)
            answer, usage = read(response.content)
        except (openai.OpenAIError, ErrorReply, TimeoutError, *_MALFORMED_REPLY) as fault:
            error = self._classifier_error(fault)
            if error.permanent:
                self._suspicion.clear()
            raise error from fault
        self._suspicion.clear()
        return answer, replace(usage, requests=0, latency_ms=(time.perf_counter() - begun) * 1000)

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


def _is_last(error: ClassifierError, spent: Usage, tries: int) -> bool:
    """Whether asking again is no use now."""
    return error.permanent or spent.requests >= tries or (error.retry_after or 0) > LONGEST_RETRY_AFTER


def _may_be_the_providers(error: ClassifierError, *, last: bool) -> bool:
    """Whether it may be the provider that fails and not the ticket. A limit of the rate is usual while tries remain."""
    unclear = not error.permanent and not isinstance(error, ProviderFault)
    return unclear and (last or error.kind != FailureKind.RATE_LIMITED)


def _pause(sent: int, asked_for: float | None) -> float:
    """Seconds before the next attempt: what the endpoint asked for, else exponential backoff; both with jitter."""
    if asked_for is not None:
        return asked_for + random.uniform(0, 0.25)  # noqa: S311 - no secret hangs on it
    return min(FIRST_PAUSE * 2.0 ** (sent - 1), LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 - no secret hangs on it
