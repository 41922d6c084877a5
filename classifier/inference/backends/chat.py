"""Classifies with any model behind the OpenAI chat protocol."""

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import Any

from classifier.contract import prompt
from classifier.contract.answer import InvalidAnswer
from classifier.contract.reply import parse
from classifier.contract.types import (
    Answer,
    ClassifierError,
    Contract,
    Dialect,
    FailureKind,
    JsonMode,
    LogProbs,
    Question,
    Usage,
)
from classifier.inference.backends.completion import Completion
from classifier.inference.backends.dialects import first_dialect, request_in, simpler_dialect
from classifier.inference.backends.endpoint import TRIES, Endpoint
from classifier.inference.backends.logprobs import log_probability
from classifier.inference.backends.remote import RemoteClassifier

logger = logging.getLogger(__name__)


class ChatClassifier(RemoteClassifier):
    def __init__(self, endpoint: Endpoint, *, parameters: dict[str, Any], dialect: Dialect, logprobs: bool) -> None:
        self._endpoint = endpoint
        self._parameters = parameters
        self._dialect = dialect
        self._logprobs = logprobs
        self._detecting = asyncio.Lock()
        self._detected = False

    async def answer(self, question: Question, contract: Contract) -> Answer:
        """See `RemoteClassifier`. An invalid reply is asked for once more."""
        text = prompt.shorten(question.text)
        conversation = prompt.messages(contract, text, question.examples)
        shown = [text, *(example.text for example in question.examples)]
        usage, known_faults = Usage(shortened=text != question.text), self._endpoint.faults
        for last in (False, True):
            try:
                completion, used = await self._complete(conversation, contract, known_faults)
            except ClassifierError as error:
                error.usage = usage.plus(error.usage)
                raise
            usage = usage.plus(used)
            try:
                answer, repaired = _read(completion, contract, shown)
            except InvalidAnswer as invalid:
                reply = completion.reply.content
                if last:
                    raise ClassifierError(
                        str(invalid), kind=invalid.kind, permanent=True, reply=reply, usage=usage
                    ) from invalid
                conversation = prompt.correction(conversation, reply, invalid)
            else:
                return replace(answer, usage=replace(usage, repaired=repaired))
        raise AssertionError("unreachable")

    async def _complete(self, conversation: Any, contract: Contract, known_faults: int) -> tuple[Completion, Usage]:
        if self._dialect.json_mode == JsonMode.UNKNOWN and not self._detected:
            # One request detects the mode while the others wait; if it fails, each detects it itself.
            async with self._detecting:
                if not self._detected:
                    try:
                        return await self._in_best_dialect(conversation, contract, known_faults)
                    finally:
                        self._detected = True
        return await self._in_best_dialect(conversation, contract, known_faults)

    async def _in_best_dialect(
        self, conversation: Any, contract: Contract, known_faults: int
    ) -> tuple[Completion, Usage]:
        known, tries = self._dialect, TRIES
        dialect = first_dialect(known)
        while True:
            request, harmless = (
                self._request(dialect, conversation, contract),
                partial(self._harmless, dialect, contract),
            )
            try:
                completion, usage = await self._endpoint.complete(
                    known_faults=known_faults, harmless=harmless, tries=tries, **request
                )
            except ClassifierError as error:
                simpler = simpler_dialect(dialect, known, error, request)
                if simpler is None:
                    raise
                # An endpoint that is simply down should not be asked as often again.
                dialect, tries = simpler, TRIES if error.kind == FailureKind.REJECTED else 1
            else:
                # Only now is it certain what was refused: a refusal may quote a ticket that names a feature.
                return completion, replace(usage, dialect=self._remember(dialect))

    def _request(self, dialect: Dialect, conversation: Any, contract: Contract) -> dict[str, Any]:
        return request_in(dialect, conversation, contract, self._parameters, logprobs=self._logprobs)

    def _harmless(self, dialect: Dialect, contract: Contract) -> dict[str, Any]:
        """A request that an endpoint which works can answer: about a plain text, in a dialect that is not in doubt."""
        if self._dialect.json_mode == JsonMode.UNKNOWN:
            dialect = replace(dialect, json_mode=JsonMode.NONE)
        return self._request(dialect, prompt.messages(contract, prompt.HARMLESS_TEXT), contract)

    def _remember(self, dialect: Dialect) -> Dialect:
        """Ask in this dialect from now on; a known JSON mode stays. Several requests may get here at once."""
        known = self._dialect
        mode = dialect.json_mode if known.json_mode == JsonMode.UNKNOWN else known.json_mode
        if more := dialect.unsupported - known.unsupported:
            logger.warning("%s doesn't support %s.", self._endpoint.model.name, ", ".join(sorted(more)))
        self._dialect = Dialect(json_mode=mode, unsupported=known.unsupported | dialect.unsupported)
        return self._dialect


def _read(completion: Completion, contract: Contract, shown: list[str]) -> tuple[Answer, bool]:
    """The answer, and whether the reply had to be repaired. Raises InvalidAnswer."""
    if completion.refusal:
        raise InvalidAnswer(
            FailureKind.REFUSED, f"The model refused ({completion.refusal[:200]}). Only label the ticket."
        )
    answer, literal, repaired = parse(completion.reply, contract, shown=shown)
    category, sentiment = (
        log_probability(completion.token_logprobs, literal, key) for key in ("category", "sentiment")
    )
    return replace(answer, logprobs=LogProbs(category=category, sentiment=sentiment)), repaired
