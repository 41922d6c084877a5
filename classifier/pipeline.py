"""From a new ticket to a verdict, in reading order: claim, label, accept the sure ones, ask a second model, hold."""

import random
from collections.abc import Callable, Sequence

from . import claims, gate, labelling
from .contract import FailureKind
from .labelling import Labelled, Outcome
from .models import ContractVersion, Epoch, Failure, Gate, Prediction, Ticket
from .models.contract import EmptyTaxonomy

MOST_ATTEMPTS = 6
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0


def work_off(first: Sequence[int] = (), *, more_waits: Callable[[], None] = lambda: None) -> bool:
    """Classify one batch of waiting tickets, `first` before the others. Returns whether more may be waiting.

    `more_waits` is called before the work begins, so that somebody else can take the next batch meanwhile.
    """
    settings = Gate.current()
    size = settings.primary_in_charge().batch_size
    tickets = claims.claim(size, first)
    more = len(tickets) == size
    if more:
        more_waits()
    if tickets:
        with claims.kept(tickets):
            classify(tickets, settings)
    return more


def classify(tickets: Sequence[Ticket], settings: Gate) -> None:
    """Bring claimed tickets to a verdict, or put them off where their model cannot answer now."""
    try:
        version = ContractVersion.objects.in_force()
    except EmptyTaxonomy:
        claims.put_off(tickets, claims.LEASE.total_seconds(), attempted=False)
        return
    spec = settings.primary_in_charge()
    epoch = gate.epoch_of(spec, version, settings.threshold)
    unsure = labelling.give_up([ticket for ticket in tickets if ticket.attempts > MOST_ATTEMPTS], spec, version)
    for group in labelling.label([ticket for ticket in tickets if ticket.attempts <= MOST_ATTEMPTS], spec, version):
        later = [one for one in group if _deserves_another_turn(one)]
        sure = [one for one in group if _is_sure(one.outcome, epoch)]
        for one in later:
            _put_off(one)
        gate.accept(epoch, sure)
        unsure += [one for one in group if one not in later and one not in sure]
    gate.hold(epoch, unsure, _second_opinions(unsure, settings, version))


def _is_sure(outcome: Outcome, epoch: Epoch) -> bool:
    return isinstance(outcome, Prediction) and gate.is_sure(outcome.confidence, epoch.threshold)


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


def _second_opinions(unsure: Sequence[Labelled], settings: Gate, version: ContractVersion) -> dict[int, Outcome]:
    """What the second model says of the tickets that the primary labelled without being sure."""
    second = settings.second_in_charge()
    asked = [one.ticket for one in unsure if isinstance(one.outcome, Prediction)]
    if second is None or not asked:
        return {}
    return {one.ticket.pk: one.outcome for group in labelling.label(asked, second, version) for one in group}
