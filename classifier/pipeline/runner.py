"""From a new ticket to a verdict, in reading order: claim, let pass what the model in front is sure of, label the rest,
accept the sure ones, ask a second model, hold.
"""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from classifier.contract.types import FailureKind
from classifier.embeddings import vector_store
from classifier.leases import leases
from classifier.log_context import about
from classifier.models import (
    ContractVersion,
    Epoch,
    Failure,
    Gate,
    LanguageModel,
    Mode,
    Prediction,
    Ticket,
)
from classifier.models.contract import EmptyTaxonomy
from classifier.pipeline import claims, gate, predict
from classifier.pipeline.gate import Weighed
from classifier.pipeline.predict import Labelled, Outcome

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0


def work_off(*, more_waits: Callable[[], None] = lambda: None) -> bool:
    """Classify one batch of waiting tickets. Returns whether more may be waiting.

    `more_waits` is called before the work begins, so that somebody else can take the next batch meanwhile.
    """
    settings = Gate.current()
    size = settings.primary_in_charge().hand_size
    tickets = claims.claim(size)
    more = len(tickets) == size
    if more:
        more_waits()
    if tickets:
        with leases.keep(tickets), about(tickets=[ticket.pk for ticket in tickets]):
            classify(tickets, settings)
    return more


def classify(tickets: Sequence[Ticket], settings: Gate) -> None:
    """Bring claimed tickets to a verdict, or put them off where their model cannot answer now."""
    try:
        version = ContractVersion.objects.in_force()
    except EmptyTaxonomy:
        claims.put_off(tickets, leases.DURATION.total_seconds(), attempted=False)
        return
    language_model, epoch = settings.primary_in_charge(), gate.epoch_in_force(settings, version)
    spent = predict.give_up([ticket for ticket in tickets if ticket.attempts > MOST_ATTEMPTS], language_model, version)
    unsure = gate.weigh(epoch, spent, version)
    left = _pass_in_front([ticket for ticket in tickets if ticket.attempts <= MOST_ATTEMPTS], settings, version, epoch)
    for group in chain(left.weighed, _by_primary(left.tickets, language_model, version, epoch)):
        sure = [one for one in group if gate.may_pass(epoch, one)]
        gate.accept(epoch, sure)
        unsure += [one for one in group if one not in sure]
    gate.hold(epoch, unsure, _second_opinions(epoch, unsure, left, settings, version))
    if language_model.is_embedded or (settings.front and settings.front.is_embedded):
        # Encoded a moment ago: now they are only stored.
        vector_store.of([ticket.text for ticket in tickets])


def _by_primary(
    tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion, epoch: Epoch
) -> Iterator[list[Weighed]]:
    """What the primary says of them, in groups; what it cannot answer now is put off."""
    for group in predict.label(tickets, language_model, version):
        later = [one for one in group if _deserves_another_turn(one)]
        for one in later:
            _put_off(one)
        yield gate.weigh(epoch, [one for one in group if one not in later], version)


class Left(NamedTuple):
    """The tickets that are left for the primary; what the model in front said in its place, where a score is to decide;
    and its opinions by ticket, where it is of another family.
    """

    tickets: Sequence[Ticket]
    weighed: list[list[Weighed]]
    opinions: dict[int, Outcome]


def _pass_in_front(tickets: Sequence[Ticket], settings: Gate, version: ContractVersion, epoch: Epoch) -> Left:
    """Take what the model in front is sure of. Where it cannot answer, tickets go on as if nobody stood there.

    By its stated confidence alone it is accepted at once; a score is for what comes out of the cascade, whoever said
    it, and decides as it does of the primary's answers.
    """
    front = settings.front_in_charge()
    if front is None or not tickets:
        return Left(tickets, [], {})
    own = gate.epoch_of(front, version, settings.front_threshold)
    weighed: list[list[Weighed]] = []
    answered: set[int] = set()
    opinions: dict[int, Outcome] = {}
    for group in _labelled_in_front(tickets, front, version):
        confident = [one for one in group if _is_confident(one, settings.front_threshold)]
        judged = gate.weigh(own if epoch.mode == Mode.CONFIDENCE else epoch, confident, version)
        sure = [one for one in judged if not one.dictated]
        if epoch.mode == Mode.CONFIDENCE:
            gate.accept(own, sure)
        else:
            weighed.append(sure)
        answered |= {one.ticket.pk for one in sure}
        if settings.is_of_another_family(front):
            opinions |= {one.ticket.pk: one.outcome for one in group}
    return Left([ticket for ticket in tickets if ticket.pk not in answered], weighed, opinions)


def _labelled_in_front(
    tickets: Sequence[Ticket], front: LanguageModel, version: ContractVersion
) -> Iterator[list[Labelled]]:
    try:
        yield from predict.label(tickets, front, version)
    except Exception:
        # The primary can answer, whatever is wrong with the model that would spare it the call.
        logger.exception("%s failed in front; the primary is asked.", front)


def _is_confident(labelled: Labelled, threshold: float) -> bool:
    return isinstance(labelled.outcome, Prediction) and labelled.outcome.confidence >= threshold


def _deserves_another_turn(labelled: Labelled) -> bool:
    ticket, outcome = labelled
    if not isinstance(outcome, Failure) or outcome.permanent:
        return False
    return outcome.kind == FailureKind.BUDGET or ticket.attempts < MOST_ATTEMPTS


def _put_off(labelled: Labelled) -> None:
    ticket, failure = labelled
    assert isinstance(failure, Failure)  # noqa: S101 - only failures are put off
    pause = min(FIRST_PAUSE * 3 ** (ticket.attempts - 1), LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
    claims.put_off([ticket], max(pause, failure.retry_after or 0), attempted=failure.kind != FailureKind.BUDGET)


def _second_opinions(
    epoch: Epoch, unsure: Sequence[Weighed], left: Left, settings: Gate, version: ContractVersion
) -> dict[int, Outcome]:
    """What a second model says of the tickets that the first labelled without being sure.

    Where there is none to ask, it is what the model in front has said already. Of a ticket that is audited nobody is
    shown an opinion, so none is paid for.
    """
    second = settings.second_in_charge()
    asked = [one.ticket for one in unsure if isinstance(one.outcome, Prediction) and not gate.is_for_audit(epoch, one)]
    if second is None or not asked:
        return {ticket.pk: left.opinions[ticket.pk] for ticket in asked if ticket.pk in left.opinions}
    return {one.ticket.pk: one.outcome for group in predict.label(asked, second, version) for one in group}
