"""The ground floor: what a classifier is asked, what it answers, and how it fails. Standard library only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One label a classifier may give: its full name, a line that says what it means, and texts that show it.

    `keys` are what models that learn know it by, whatever its name is: its own, then those of labels merged into it.
    """

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShotExample:
    """A text with the labels that people gave it, shown to a model beside the one that it is asked about."""

    text: str
    category: str
    sentiment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What every answer must keep to, frozen; `digest` names this very wording of it."""

    categories: tuple[Option, ...]
    sentiments: tuple[Option, ...]
    system_prompt: str
    answer_schema: dict[str, Any] = field(hash=False)
    digest: str


class JsonMode(StrEnum):
    """How an endpoint is told to answer in JSON; found out once per model."""

    UNKNOWN = "unknown"
    SCHEMA = "json_schema"
    OBJECT = "json_object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one ticket took: requests sent, tokens, milliseconds between asking and being answered, without queueing."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float = 0.0
    json_mode: JsonMode = JsonMode.UNKNOWN
    shortened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an answer stands on: where the words that carried it begin and end in the text, and the keys of the labelled
    examples that lie nearest, nearest first.
    """

    word_spans: tuple[tuple[int, int], ...] = ()
    nearest: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProbs:
    """What a model gave the tokens of its labels, as natural logarithms; None where its endpoint does not tell."""

    category: float | None = None
    sentiment: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A valid answer: labels by name out of the contract, `confidence` in [0, 1], one sentence of reasoning.

    A model that learns says which `version` of it answered.
    """

    category: str
    sentiment: str
    confidence: float
    reasoning: str
    usage: Usage = Usage()
    evidence: Evidence = Evidence()
    version: int | None = None
    logprobs: LogProbs = LogProbs()


class FailureKind(StrEnum):
    """Why there is no valid answer."""

    BROKEN_JSON = "broken_json"
    WRONG_KEYS = "wrong_keys"
    UNKNOWN_LABEL = "unknown_label"
    BAD_CONFIDENCE = "bad_confidence"
    BAD_REASONING = "bad_reasoning"
    CUT_OFF = "cut_off"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    FOREIGN_REPLY = "foreign_reply"
    REJECTED = "rejected"
    NO_KEY = "no_key"
    WRONG_KEY = "wrong_key"
    BROKEN_MODEL = "broken_model"
    UNTRAINED = "untrained"
    BUDGET = "budget"
    GIVEN_UP = "given_up"


class ClassifierError(Exception):
    """No valid answer for one ticket. The message is fit for users and says what to do.

    `permanent` tells that asking again would not help; `retry_after` is how many seconds the endpoint asked to be
    left alone; `reply` is the last thing the model said; `usage` is what the attempts took.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        permanent: bool = False,
        retry_after: float | None = None,
        reply: str = "",
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.permanent = permanent
        self.retry_after = retry_after
        self.reply = reply
        self.usage = usage or Usage()


class Question(NamedTuple):
    """A text to label, and the examples to show beside it; models that have learned need none."""

    text: str
    examples: Sequence[FewShotExample] = ()


IndexedResult = tuple[int, Answer | ClassifierError]
"""A result, and the place of its question among those asked."""


class Classifier(Protocol):
    def answers(
        self, questions: Iterable[Question], contract: Contract, *, ahead: int
    ) -> Iterator[list[IndexedResult]]:
        """One result for each question, in order of arrival. A list comes at least every quarter of a second, empty if
        nothing arrived; a local model answers up to `ahead` questions at a time, however long that takes.

        `questions` is drawn from only while fewer than `ahead` are under way; if it ends early, those still arrive. A
        question that fails never fails its neighbours. Touches neither database nor settings.
        """
