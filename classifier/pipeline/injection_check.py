"""Finds predictions that a prompt injection may have dictated.

A language model may follow instructions in a ticket, in words that no pattern list knows. The specialist cannot: it
only recognises topics. So where a text names a label in the way of an order rather than of a customer, or reads like an
instruction, the newest specialist labels the text without those names, and has to find the given label twice as
probable as chance.

It may be a newer version than the one that a certificate's scores are from: each verdict depends on the past alone, and
what the check lets through is scored and audited like the rest.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from classifier.contract.types import Contract, Option
from classifier.learning.language_detection import reads_like_english
from classifier.learning.vector_space import Floats
from classifier.models import ContractVersion, Prediction, SpecialistVersion
from classifier.pipeline import scoring
from classifier.pipeline.predict import TicketOutcome
from classifier.security import prompt_injection

logger = logging.getLogger(__name__)

ABOVE_CHANCE = 2.0


class LabelledText(NamedTuple):
    """A text and the names of the labels that a model gave it (empty for labels that are not offered)."""

    text: str
    category: str
    sentiment: str


def suspected_injections(answers: Sequence[LabelledText], terms: Contract) -> list[bool]:
    """For each answer, whether the text may have dictated it (at most one query)."""
    suspected = [prompt_injection.is_suspected_injection(answer.text) for answer in answers]
    doubtful = [place for place, answer in enumerate(answers) if not suspected[place] and needs_confirmation(answer)]
    confirmed = _confirmed([answers[place] for place in doubtful], terms)
    for place, is_confirmed in zip(doubtful, confirmed, strict=True):
        suspected[place] = not is_confirmed
    return suspected


def suspected_tickets(outcomes: Sequence[TicketOutcome], version: ContractVersion) -> set[int]:
    """The keys of tickets whose texts may have dictated their predictions."""
    answers = _labelled_texts(outcomes, version)
    suspected = suspected_injections(list(answers.values()), version.terms)
    return {pk for pk, is_suspected in zip(answers, suspected, strict=True) if is_suspected}


def _labelled_texts(outcomes: Sequence[TicketOutcome], version: ContractVersion) -> dict[int, LabelledText]:
    """The texts of tickets with a prediction, by ticket."""
    categories = {pk: name for name, pk in version.labels.categories.items()}
    sentiments = {pk: name for name, pk in version.labels.sentiments.items()}
    return {
        ticket.pk: LabelledText(
            ticket.text, categories.get(prediction.category_id, ""), sentiments.get(prediction.sentiment_id, "")
        )
        for ticket, prediction in outcomes
        if isinstance(prediction, Prediction)
    }


class Check(NamedTuple):
    """Whether the text addresses the model, and whether it may have dictated its label, so that another model family
    has to give the same one.
    """

    suspected: bool = False
    needs_agreement: bool = False


def checks(outcomes: Sequence[TicketOutcome], version: ContractVersion) -> list[Check]:
    """A check of each outcome, where a second opinion can be asked about what the text may have dictated.

    The specialist recognises topics too roughly to confirm a text that names its label or reads like an instruction.
    """
    answers = _labelled_texts(outcomes, version)
    return [_check(answers[ticket.pk]) if ticket.pk in answers else Check() for ticket, _outcome in outcomes]


def _check(answer: LabelledText) -> Check:
    suspected = prompt_injection.is_suspected_injection(answer.text)
    return Check(suspected, needs_agreement=not suspected and needs_confirmation(answer))


def needs_confirmation(answer: LabelledText) -> bool:
    """Whether the specialist has to confirm the answer: the text names its label as an order would, or reads like an
    instruction.
    """
    return (
        _is_named_like_a_label(answer.category, answer.text)
        or _is_named(answer.sentiment, answer.text)
        or prompt_injection.may_be_injection(answer.text)
    )


def _confirmed(answers: Sequence[LabelledText], terms: Contract) -> Iterable[bool]:
    if not answers:
        return []
    try:
        return _confirmed_by_specialist(answers, terms)
    except Exception:
        # Without the specialist, people review these tickets.
        logger.exception("The specialist could not confirm answers; their tickets need review.")
        return [False] * len(answers)


def _confirmed_by_specialist(answers: Sequence[LabelledText], terms: Contract) -> list[bool]:
    version = SpecialistVersion.objects.newest_pk()
    predicted = scoring.specialist_predictor(version).predict([_without_names(answer) for answer in answers], terms)
    return [
        not predicted.foreign[row]
        and _share(predicted.category.combined[row], answer.category, terms.categories)
        >= min(ABOVE_CHANCE / len(terms.categories), 0.5)
        # Customers seldom name their own sentiment; a text that does may be asking for that label.
        and (
            not _is_named(answer.sentiment, answer.text)
            or _predicts(predicted.sentiment.combined[row], answer.sentiment, terms.sentiments)
        )
        for row, answer in enumerate(answers)
    ]


def _predicts(shares: Floats, label: str, options: Sequence[Option]) -> bool:
    """Whether this label is the most probable one, and at least as probable as chance or 0.5."""
    share = _share(shares, label, options)
    return share == float(shares.max()) and share >= min(1 / len(options), 0.5)


def _share(shares: Floats, label: str, options: Sequence[Option]) -> float:
    return max(
        (float(share) for share, option in zip(shares, options, strict=True) if option.name == label), default=0.0
    )


def _is_named(label: str, text: str) -> bool:
    return bool(label) and bool(_name_pattern(label).search(text))


_QUOTED = r"[\"'“”„‘’«»‹›「」『』\[\](){}<>`*/|=→]"
_BEFORE = re.compile(
    rf"(?:{_QUOTED}|[:：])\s*$|\b(?:answer|reply|respond|output|emit|select|assign|goes)\b[^.!?\n]{{0,40}}$", re.I
)
_AFTER = re.compile(rf"^\s*(?!['’]){_QUOTED}")


def _is_named_like_a_label(label: str, text: str) -> bool:
    """Whether the text names the label otherwise than in passing: in its own capitals or in capital letters, with an
    underscore, beside quotation marks, brackets or the like, after an order, or in a text that is not English.
    """
    own = label.rsplit(" > ", 1)[-1]
    return any(
        found[0].isupper()
        or (found[0] in (label, own) and not own.islower())
        or "_" in found[0]
        or _BEFORE.search(text, max(found.start() - 60, 0), found.start())
        or _AFTER.search(text[found.end() : found.end() + 5])
        or not reads_like_english(text)
        for found in (_name_pattern(label).finditer(text) if label else ())
    )


def _without_names(answer: LabelledText) -> str:
    text = answer.text
    for label in (answer.category, answer.sentiment):
        if label:
            text = _name_pattern(label).sub(" ", text)
    return text


@lru_cache(maxsize=2_048)
def _name_pattern(label: str) -> re.Pattern[str]:
    """Matches the label as people write it: the full path or its last part, with any punctuation between words."""
    ways = [re.findall(r"\w+", part.replace("_", " ")) for part in (label, label.rsplit(" > ", 1)[-1])]
    named = "|".join(r"[\W_]{1,3}".join(map(re.escape, words)) for words in ways if words)
    return re.compile(rf"(?<!\w)(?:{named or '(?!)'})(?!\w)", re.IGNORECASE)
