"""The gate: what may pass unseen, and what waits for a person. One verdict a ticket and turn, in one transaction."""

from collections.abc import Sequence
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction

from .contract import FailureKind
from .labelling import Labelled, Outcome
from .models import (
    ContractVersion,
    Epoch,
    Failure,
    Gate,
    ModelSpec,
    Prediction,
    Reason,
    SpecialistVersion,
    Ticket,
    Verdict,
)
from .models.ticket import moved


def epoch_of(spec: ModelSpec, version: ContractVersion, threshold: float) -> Epoch:
    """The epoch under which this model is judged, begun if it is new; one that learns begins one with each version."""
    serving = SpecialistVersion.objects.serving() if spec.learning else None
    epoch, _created = Epoch.objects.get_or_create(spec=spec, contract=version, threshold=threshold, version_id=serving)
    return epoch


@transaction.atomic(durable=True)
def set_threshold(threshold: float, *, by: User, reason: str) -> None:
    """From this confidence on tickets pass unseen; who changed it and why stands in the gate's history.

    Raises ValidationError where it is not from 0 to 1.
    """
    gate = Gate.objects.select_for_update().get(pk=1)
    gate.threshold = threshold
    gate.clean_fields(exclude=["primary", "second_opinion", "front"])
    historic = cast(Any, gate)
    historic._history_user, historic._change_reason = by, reason[:100]
    gate.save(update_fields=["threshold"])


def is_sure(confidence: float, threshold: float) -> bool:
    return confidence >= threshold


def reason_to_hold(first: Outcome, second: Outcome | None) -> Reason:
    """Why a ticket that may not pass waits for a person."""
    if isinstance(first, Failure):
        return Reason.OUT_OF_TAXONOMY if first.kind == FailureKind.UNKNOWN_LABEL else Reason.FAILURE
    if isinstance(second, Prediction) and not first.same_label(second):
        return Reason.DISAGREEMENT
    return Reason.UNSURE


def accept(epoch: Epoch, labelled: Sequence[Labelled]) -> None:
    """Let tickets pass on their sure predictions."""
    _pronounce([_verdict(epoch, one, None) for one in labelled])


def hold(epoch: Epoch, labelled: Sequence[Labelled], seconds: dict[int, Outcome]) -> None:
    """Keep tickets for people; `seconds` are the second opinions by ticket, where there are any."""
    _pronounce([_verdict(epoch, one, seconds.get(one.ticket.pk)) for one in labelled])


def _verdict(epoch: Epoch, labelled: Labelled, second: Outcome | None) -> Verdict:
    first = labelled.outcome
    accepted = isinstance(first, Prediction) and is_sure(first.confidence, epoch.threshold)
    return Verdict(
        ticket=labelled.ticket,
        epoch=epoch,
        prediction=first if isinstance(first, Prediction) else None,
        second_opinion=second if isinstance(second, Prediction) else None,
        failure=first if isinstance(first, Failure) else None,
        accepted=accepted,
        reason=Reason.SURE if accepted else reason_to_hold(first, second),
    )


@transaction.atomic(durable=True)
def _pronounce(verdicts: list[Verdict]) -> None:
    """Write verdicts and move their tickets on; a ticket that somebody else has moved meanwhile is left as it is."""
    tickets = [verdict.ticket_id for verdict in verdicts]
    still_new = set(
        Ticket.objects.new().select_for_update().filter(pk__in=tickets).order_by("pk").values_list("pk", flat=True)
    )
    verdicts = [verdict for verdict in verdicts if verdict.ticket_id in still_new]
    Verdict.objects.current().filter(ticket__in=still_new).update(current=False)
    Verdict.objects.bulk_create(verdicts)
    for accepted, state in ((True, Ticket.State.ACCEPTED), (False, Ticket.State.HELD)):
        tickets = [verdict.ticket_id for verdict in verdicts if verdict.accepted is accepted]
        if tickets:
            Ticket.objects.filter(pk__in=tickets).update(state=state)
            moved.send(Ticket, ticket_pks=tickets, state=state)
