"""What a classifier is asked, what it answers, and how it fails. Standard library only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

SEPARATOR = " > "
"""Between the names of a category and its parent in a full name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A label that a classifier may give: full name, description and example texts.

    `keys` identify it for models that learn: its own, then those of labels merged into it.
    """

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()


def is_inside(category: str, above: Sequence[str]) -> bool:
    """Whether a category is one of these or below one of them, by full names; true if there are none."""
    return not above or any(f"{category}{SEPARATOR}".startswith(f"{name}{SEPARATOR}") for name in above)


class AttributeKind(StrEnum):
    """What an answer to an attribute is: an option, true or false, several options, or a text."""

    ONE_OF = "one_of"
    YES_NO = "yes_no"
    SEVERAL_OF = "several_of"
    TEXT = "text"


AttributeValue = str | bool | tuple[str, ...]
"""An answer to an attribute: options by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeTerms:
    """An attribute that a classifier is asked about; `key` names it in the answer, `pk` in stored answers.

    `examples` and `counterexamples` are texts for which the answer is yes and no, or values of a text attribute;
    `categories` are full names: it is asked of these and those below them, of all if there are none.
    """

    pk: int
    key: str
    name: str
    kind: AttributeKind
    description: str = ""
    options: tuple[Option, ...] = ()
    is_scale: bool = False
    pattern: str = ""
    examples: tuple[str, ...] = ()
    counterexamples: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def is_asked_of(self, category: str) -> bool:
        """Whether tickets of this category, given by full name, have the attribute."""
        return is_inside(category, self.categories)


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShotExample:
    """A labelled text that is shown to a model with the ticket."""

    text: str
    category: str
    sentiment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The prompt and schema that every answer must follow; `digest` identifies the exact wording."""

    categories: tuple[Option, ...]
    sentiments: tuple[Option, ...]
    system_prompt: str
    answer_schema: dict[str, Any] = field(hash=False)
    digest: str
    attributes: tuple[AttributeTerms, ...] = ()
    further_categories: bool = False


class JsonMode(StrEnum):
    """How an endpoint is asked for JSON; detected once per model. NONE leaves it to the prompt."""

    UNKNOWN = "unknown"
    SCHEMA = "json_schema"
    OBJECT = "json_object"
    NONE = "none"


class Feature(StrEnum):
    """What some endpoints don't support."""

    SYSTEM_ROLE = "system role"
    MAX_TOKENS = "max_tokens"
    TEMPERATURE = "temperature"
    LOGPROBS = "log-probabilities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How an endpoint has to be asked, as found out at its first refusals."""

    json_mode: JsonMode = JsonMode.UNKNOWN
    unsupported: frozenset[Feature] = frozenset()

    def __str__(self) -> str:
        return ", ".join([self.json_mode, *(f"no {feature}" for feature in sorted(self.unsupported))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one ticket used: requests, tokens, and milliseconds of model time without queueing.

    `repaired` says whether a reply had to be repaired to be read.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float = 0.0
    dialect: Dialect = Dialect()
    shortened: bool = False
    repaired: bool = False

    def plus(self, other: "Usage") -> "Usage":
        """The sum of both, in the other's dialect."""
        return replace(
            self,
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            latency_ms=self.latency_ms + other.latency_ms,
            dialect=other.dialect,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an answer rests on: spans of decisive words in the text, and keys of the nearest labelled examples, nearest
    first.
    """

    word_spans: tuple[tuple[int, int], ...] = ()
    nearest: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProbs:
    """Log-probabilities of the labels' tokens; None if the endpoint does not return them."""

    category: float | None = None
    sentiment: float | None = None


class LabelDistributions(NamedTuple):
    """A model's probability of each category and each sentiment, by name; each sums to one."""

    category: dict[str, float]
    sentiment: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A valid answer: label names from the contract, `confidence` in [0, 1], and one sentence of reasoning.

    `version` is the specialist version that answered, if one did; `probabilities` are known where the model gives one
    for every label. `attributes` are the usable answers by key, `unusable` the keys of those that could not be used.
    `further_categories` are what the ticket asks for besides its main category.
    """

    category: str
    sentiment: str
    confidence: float
    reasoning: str
    usage: Usage = Usage()
    evidence: Evidence = Evidence()
    version: int | None = None
    logprobs: LogProbs = LogProbs()
    probabilities: LabelDistributions | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    unusable: tuple[str, ...] = ()
    further_categories: tuple[str, ...] = ()


class FailureKind(StrEnum):
    """Why an answer is missing or invalid."""

    BROKEN_JSON = "broken_json"
    AMBIGUOUS = "ambiguous"
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
    UNAUTHORIZED = "unauthorized"
    PAYMENT_REQUIRED = "payment_required"
    QUOTA = "quota"
    MODEL_GONE = "model_gone"
    BROKEN_MODEL = "broken_model"
    UNTRAINED = "untrained"
    BUDGET = "budget"
    GIVEN_UP = "given_up"
    CRASHED = "crashed"


class ClassifierError(Exception):
    """No valid answer for one ticket. The message is for users and says what to do.

    `permanent` means that retrying won't help; `retry_after` is the pause in seconds that the endpoint asked for;
    `reply` is the model's last reply; `usage` is what the attempts used.
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


class ProviderFault(ClassifierError):
    """The provider answers nobody, so the ticket is not to blame and can wait until somebody mends it.

    `kind` is NO_KEY, UNAUTHORIZED, PAYMENT_REQUIRED, QUOTA, MODEL_GONE or UNREACHABLE, or how even a harmless
    request failed; `words` is what the provider itself says, on one line, empty if it says nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        words: str = "",
        permanent: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, kind=kind, permanent=permanent, retry_after=retry_after)
        self.words = words


class Question(NamedTuple):
    """A text to label, and examples to show with it."""

    text: str
    examples: Sequence[FewShotExample] = ()


IndexedResult = tuple[int, Answer | ClassifierError]
"""A result, and the place of its question among those asked."""


class Classifier(Protocol):
    def answers(
        self, questions: Iterable[Question], contract: Contract, *, ahead: int
    ) -> Iterator[list[IndexedResult]]:
        """Yield lists of results in order of arrival, one result per question. A list comes at least every quarter of
        a second, empty if nothing arrived; a local model answers up to `ahead` questions at a time, however long that
        takes.

        `questions` is consumed only while fewer than `ahead` are pending; if it ends early, pending results still
        arrive. A failing question never affects others. Uses neither database nor settings.
        """
