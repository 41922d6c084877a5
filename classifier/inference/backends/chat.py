"""Classifies with any model behind the OpenAI chat protocol."""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from classifier.contract import prompt
from classifier.contract.types import (
    Answer,
    ClassifierError,
    Contract,
    FailureKind,
    IndexedResult,
    JsonMode,
    LogProbs,
    Question,
    Usage,
)
from classifier.inference.backends.endpoint import Completion, Endpoint
from classifier.inference.backends.event_loop import submit
from classifier.inference.backends.logprobs import log_probability

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""The longest time in seconds between two lists of results."""


class ChatClassifier:
    def __init__(self, endpoint: Endpoint, *, parameters: dict[str, Any], json_mode: JsonMode, logprobs: bool) -> None:
        self._endpoint = endpoint
        self._parameters = parameters
        self._json_mode = json_mode
        self._logprobs = logprobs
        self._detecting = asyncio.Lock()
        self._detected = False

    def answers(
        self, questions: Iterable[Question], contract: Contract, *, ahead: int
    ) -> Iterator[list[IndexedResult]]:
        """See `Classifier`. Requests that nobody waits for are cancelled."""
        drawn, arrived = enumerate(questions), SimpleQueue[Future[Answer]]()
        pending: dict[Future[Answer], int] = {}
        # Results are passed on while requests still queue, so that storing them delays no request.
        most = max(ahead // 4, 1)
        try:
            while True:
                for place, question in islice(drawn, ahead - len(pending)):
                    future = submit(self._answer(question, contract))
                    pending[future] = place
                    future.add_done_callback(arrived.put)
                if not pending:
                    return
                done = _collect(arrived, min(most, len(pending)))
                yield [(pending.pop(future), _result(future)) for future in done]
        finally:
            for future in pending:
                future.cancel()

    async def _answer(self, question: Question, contract: Contract) -> Answer:
        text = prompt.shorten(question.text)
        conversation = prompt.messages(contract, text, question.examples)
        usage = Usage(shortened=text != question.text)
        invalid: prompt.InvalidAnswer | None = None
        reply, known_faults = "", self._endpoint.faults
        for _attempt in ("first", "repair"):
            if invalid:
                conversation = prompt.repair(conversation, reply, invalid)
            try:
                completion, json_mode = await self._complete(conversation, contract, known_faults)
            except ClassifierError as error:
                error.usage = replace(usage, requests=usage.requests + error.usage.requests)
                raise
            usage, reply = _add_usage(usage, completion, json_mode), completion.content
            try:
                return replace(_validated_answer(completion, contract), usage=usage)
            except prompt.InvalidAnswer as error:
                invalid = error
        assert invalid is not None  # noqa: S101 - the loop leaves here only after an invalid answer
        raise ClassifierError(str(invalid), kind=invalid.kind, permanent=True, reply=reply, usage=usage)

    async def _complete(self, conversation: Any, contract: Contract, known: int) -> tuple[Completion, JsonMode]:
        if self._json_mode == JsonMode.UNKNOWN and not self._detected:
            # One request detects the mode while the others wait; if it fails, each detects it itself.
            async with self._detecting:
                if not self._detected:
                    try:
                        return await self._detect_mode(conversation, contract, known)
                    finally:
                        self._detected = True
        if self._json_mode == JsonMode.UNKNOWN:
            return await self._detect_mode(conversation, contract, known)
        if self._json_mode == JsonMode.SCHEMA:
            # An endpoint that supports schemas may still refuse this one, for its size or for one text.
            completion, _mode = await self._strictest_mode(conversation, contract, known)
            return completion, JsonMode.SCHEMA
        return await self._ask(conversation, contract, known, JsonMode.OBJECT), JsonMode.OBJECT

    async def _detect_mode(self, conversation: Any, contract: Contract, known: int) -> tuple[Completion, JsonMode]:
        completion, self._json_mode = await self._strictest_mode(conversation, contract, known)
        return completion, self._json_mode

    async def _strictest_mode(self, conversation: Any, contract: Contract, known: int) -> tuple[Completion, JsonMode]:
        try:
            return await self._ask(conversation, contract, known, JsonMode.SCHEMA), JsonMode.SCHEMA
        except ClassifierError as error:
            if error.kind != FailureKind.REJECTED:
                raise
        return await self._ask(conversation, contract, known, JsonMode.OBJECT), JsonMode.OBJECT

    async def _ask(self, conversation: Any, contract: Contract, known: int, mode: JsonMode) -> Completion:
        form: dict[str, Any] = {"type": mode.value}
        if mode == JsonMode.SCHEMA:
            form["json_schema"] = {"name": "ticket_labels", "strict": True, "schema": contract.answer_schema}
        request = {"messages": conversation, "response_format": form, "known_faults": known} | _sdk_parameters(
            self._parameters
        )
        if not (self._logprobs and self._endpoint.takes_logprobs):
            return await self._endpoint.complete(**request)
        try:
            return await self._endpoint.complete(**request, logprobs=True)
        except ClassifierError as error:
            if not error.permanent or "logprob" not in str(error).lower():
                raise
        completion = await self._endpoint.complete(**request)
        # Only now is it certain that log-probabilities were the reason: a refusal may quote a ticket with that word.
        self._disable_logprobs()
        return completion

    def _disable_logprobs(self) -> None:
        """Stop asking for log-probabilities in this process; several requests may get here at once."""
        if self._endpoint.takes_logprobs:
            logger.warning("%s doesn't support log-probabilities and is asked without them.", self._endpoint.model)
        self._endpoint.takes_logprobs = False


def _sdk_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The SDK has arguments for two of these; the others go into the request body."""
    named = {name: parameters[name] for name in ("temperature", "max_tokens") if name in parameters}
    others = {name: value for name, value in parameters.items() if name not in named}
    return named | ({"extra_body": others} if others else {})


def _validated_answer(completion: Completion, contract: Contract) -> Answer:
    if completion.refusal or completion.finish_reason == "content_filter":
        raise prompt.InvalidAnswer(
            FailureKind.REFUSED,
            f"The model refused ({completion.refusal[:200] or 'content filter'}). Only label the ticket.",
        )
    if completion.finish_reason == "length":
        raise prompt.InvalidAnswer(FailureKind.CUT_OFF, "It was cut off; keep the reasoning to a few words.")
    answer = prompt.parse(completion.content, contract)
    tokens, reply = completion.token_logprobs, completion.content
    category, sentiment = (log_probability(tokens, reply, key) for key in ("category", "sentiment"))
    return replace(answer, logprobs=LogProbs(category=category, sentiment=sentiment))


def _add_usage(usage: Usage, completion: Completion, json_mode: JsonMode) -> Usage:
    return replace(
        usage,
        requests=usage.requests + completion.requests,
        input_tokens=usage.input_tokens + completion.input_tokens,
        output_tokens=usage.output_tokens + completion.output_tokens,
        latency_ms=usage.latency_ms + completion.latency_ms,
        json_mode=json_mode,
    )


def _collect(arrived: SimpleQueue[Future[Answer]], most: int) -> list[Future[Answer]]:
    """Finished requests: waits for `most` of them or POLL_SECONDS, then takes what else is there."""
    finished: list[Future[Answer]] = []
    until = time.monotonic() + POLL_SECONDS
    with suppress(Empty):
        while len(finished) < most:
            finished.append(arrived.get(timeout=max(until - time.monotonic(), 0)))
        while True:
            finished.append(arrived.get_nowait())
    return finished


def _result(future: Future[Answer]) -> Answer | ClassifierError:
    try:
        return future.result()
    except ClassifierError as error:
        return error
