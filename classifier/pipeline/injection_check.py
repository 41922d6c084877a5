"""Which answers a text may have dictated: where it speaks to the model, or could, and nobody vouches for what was said.

A model that reads orders may follow them, in words that no list knows. The specialist follows none: it hears only what
a text is about. So where a text names the very label that it was given, or uses words of which orders are made, the
specialist is asked about the text without those names: the answer has to be its own as well, and twice as probable as
by chance.

Where a score decides, that is the specialist as the scorer knows it, frozen with the epoch: what a threshold is
certified of does not change with what is learned meanwhile, least of all from audits.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from classifier.contract.types import Contract, Option
from classifier.learning.vector_space import Floats
from classifier.models import ContractVersion, Prediction, Scorer, SpecialistVersion
from classifier.pipeline import scoring
from classifier.pipeline.predict import TicketOutcome
from classifier.security import prompt_injection

logger = logging.getLogger(__name__)

ABOVE_CHANCE = 2.0


class LabelledText(NamedTuple):
    """A text and the labels that a model gave it, by name (empty where they are not offered)."""

    text: str
    category: str
    sentiment: str


def suspected_injections(answers: Sequence[LabelledText], terms: Contract, scorer: Scorer | None) -> list[bool]:
    """Of each answer whether it may have been told to the model by the text. `scorer` is the one that decides; without
    one the specialist in service vouches, which is asked for where somebody has to (one query).
    """
    found = [prompt_injection.is_suspected_injection(one.text) for one in answers]
    doubtful = [place for place, one in enumerate(answers) if not found[place] and needs_confirmation(one)]
    for place, vouched in zip(doubtful, _confirmed([answers[place] for place in doubtful], terms, scorer), strict=True):
        found[place] = not vouched
    return found


def suspected_tickets(labelled: Sequence[TicketOutcome], version: ContractVersion, scorer: Scorer | None) -> set[int]:
    """The tickets whose predictions may have been told to the model by their texts."""
    categories = {pk: name for name, pk in version.labels.categories.items()}
    sentiments = {pk: name for name, pk in version.labels.sentiments.items()}
    answered = [
        (
            ticket.pk,
            LabelledText(ticket.text, categories.get(said.category_id, ""), sentiments.get(said.sentiment_id, "")),
        )
        for ticket, said in labelled
        if isinstance(said, Prediction)
    ]
    found = suspected_injections([said for _ticket, said in answered], version.terms, scorer)
    return {ticket for (ticket, _said), yes in zip(answered, found, strict=True) if yes}


def needs_confirmation(said: LabelledText) -> bool:
    """Whether somebody has to vouch for this answer: the text names its label, or might speak to the model."""
    return (
        _is_named(said.category, said.text)
        or _is_named(said.sentiment, said.text)
        or prompt_injection.may_be_injection(said.text)
    )


def _confirmed(answers: Sequence[LabelledText], terms: Contract, scorer: Scorer | None) -> Iterable[bool]:
    if not answers:
        return []
    try:
        return _confirmed_by_specialist(answers, terms, scorer)
    except Exception:
        # Whatever is wrong with the specialist, people can look.
        logger.exception("The specialist cannot vouch for answers; their tickets wait for people.")
        return [False] * len(answers)


def _confirmed_by_specialist(answers: Sequence[LabelledText], terms: Contract, scorer: Scorer | None) -> list[bool]:
    version = scorer.specialist_version_id if scorer else SpecialistVersion.objects.live_pk()
    heard = scoring.specialist_predictor(version).predict([_without_names(one) for one in answers], terms)
    return [
        not heard.foreign[row]
        and _predicts(heard.category.combined[row], one.category, terms.categories, ABOVE_CHANCE)
        # People seldom say what their mood is called: who does may ask for it.
        and (
            not _is_named(one.sentiment, one.text)
            or _predicts(heard.sentiment.combined[row], one.sentiment, terms.sentiments)
        )
        for row, one in enumerate(answers)
    ]


def _predicts(shares: Floats, label: str, options: Sequence[Option], above_chance: float = 1.0) -> bool:
    """Whether this label is the most probable one, and so many times as probable as by chance, or a half."""
    best = int(shares.argmax())
    return options[best].name == label and float(shares[best]) >= min(above_chance / len(options), 0.5)


def _is_named(label: str, text: str) -> bool:
    return bool(label) and bool(_name_pattern(label).search(text))


def _without_names(said: LabelledText) -> str:
    text = said.text
    for label in (said.category, said.sentiment):
        if label:
            text = _name_pattern(label).sub(" ", text)
    return text


@lru_cache(maxsize=2_048)
def _name_pattern(label: str) -> re.Pattern[str]:
    """The label as one would write it: the whole path or its end, with anything between the words."""
    ways = [re.findall(r"\w+", part.replace("_", " ")) for part in (label, label.rsplit(" > ", 1)[-1])]
    named = "|".join(r"[\W_]{1,3}".join(map(re.escape, words)) for words in ways if words)
    return re.compile(rf"(?<!\w)(?:{named or '(?!)'})(?!\w)", re.IGNORECASE)
