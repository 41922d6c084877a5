"""The gate: what may pass unseen, and what waits for a person. One verdict a ticket and turn, in one transaction."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from classifier.contract.types import FailureKind
from classifier.models import (
    ContractVersion,
    Criterion,
    Epoch,
    Failure,
    Gate,
    GateMode,
    LanguageModel,
    Prediction,
    Reason,
    Score,
    Scorer,
    SpecialistVersion,
    Ticket,
    Verdict,
)
from classifier.models.ticket import state_changed
from classifier.pipeline import audit_sampling, injection_check
from classifier.pipeline import scoring as answer_scoring
from classifier.pipeline.predict import PredictionOutcome, TicketOutcome
from classifier.security import prompt_injection


class ScoredOutcome(NamedTuple):
    """A ticket, what became of asking, the score of its prediction where a score decides, and whether its text may have
    told the model what to say: then people look.
    """

    ticket: Ticket
    outcome: PredictionOutcome
    score: Score | None
    dictated: bool = False


def confidence_epoch(language_model: LanguageModel, version: ContractVersion, threshold: float) -> Epoch:
    """The epoch in which this model's stated confidence decides, begun if it is new; one that learns begins one with
    each version.
    """
    return _running_epoch(GateMode.CONFIDENCE, language_model, version, {"threshold": threshold})


def current_epoch(settings: Gate, version: ContractVersion) -> Epoch:
    """The epoch of the primary in charge, in the gate's mode; begun if it is new.

    Where a threshold is certified it is for the answers as they come out of the whole cascade.
    """
    language_model = settings.active_primary()
    if settings.mode == GateMode.CONFIDENCE:
        return confidence_epoch(language_model, version, settings.threshold)
    front = settings.active_front()
    frozen: dict[str, Any] = {
        "threshold": settings.score_threshold if settings.mode == GateMode.SCORE else None,
        "about": settings.about,
        "scorer": Scorer.objects.live_for(language_model),
        "front": front,
        "front_threshold": settings.front_threshold if front else None,
    }
    return _running_epoch(GateMode(settings.mode), language_model, version, frozen)


def _running_epoch(
    mode: GateMode, language_model: LanguageModel, version: ContractVersion, frozen: dict[str, Any]
) -> Epoch:
    front: LanguageModel | None = frozen.get("front")
    learns = language_model.learning or (front and front.learning)
    serving = SpecialistVersion.objects.live_pk() if learns else None
    parts = [
        mode.value,
        language_model.pk,
        version.pk,
        serving,
        *(getattr(part, "pk", part) for part in frozen.values()),
    ]
    if mode == GateMode.CERTIFIED:
        # Of which tickets a threshold is certified.
        parts.append(prompt_injection.DETECTOR_VERSION)
    key = ":".join(str(part) for part in parts)
    values = {"language_model": language_model, "contract": version, "version_id": serving, "mode": mode, **frozen}
    epoch, begun = Epoch.objects.running().get_or_create(key=key, defaults=values)
    if begun and mode == GateMode.CERTIFIED:
        # Whatever was certified before was certified of something else.
        Epoch.objects.running().filter(mode=mode).exclude(pk=epoch.pk).update(ended_at=timezone.now())
    return epoch


@transaction.atomic(durable=True)
def set_threshold(threshold: float, *, by: User, reason: str) -> None:
    """From this confidence on tickets pass unseen; who changed it and why stands in the gate's history.

    Raises ValidationError where it is not from 0 to 1.
    """
    _update_gate({"threshold": threshold}, by=by, reason=reason)


@transaction.atomic(durable=True)
def set_mode(mode: GateMode, *, about: Criterion, score_threshold: float, by: User, reason: str) -> None:
    """What decides from now on whether a ticket may pass, and what of its answer has to be right; who changed it and
    why stands in the gate's history.

    Raises ValidationError where that is none, or the threshold on the score is not from 0 to 1.
    """
    _update_gate({"mode": mode, "about": about, "score_threshold": score_threshold}, by=by, reason=reason)


def _update_gate(values: dict[str, Any], *, by: User, reason: str) -> None:
    gate = Gate.objects.select_for_update().get(pk=1)
    for name, value in values.items():
        setattr(gate, name, value)
    gate.clean_fields(exclude=["primary", "second_opinion", "front"])
    historic = cast(Any, gate)
    historic._history_user, historic._change_reason = by, reason[:100]
    gate.save(update_fields=list(values))


ScoreFunction = Callable[[Sequence[TicketOutcome], Scorer, ContractVersion], dict[int, Score]]
"""Gives predictions their scores, by ticket."""


def score_outcomes(
    epoch: Epoch,
    labelled: Sequence[TicketOutcome],
    version: ContractVersion,
    *,
    scoring: ScoreFunction = answer_scoring.stored_scores,
) -> list[ScoredOutcome]:
    """Each outcome with its score, where one decides.

    What may have been dictated has none: it never passes, so that no threshold is about it and none of it is audited.
    """
    dictated = injection_check.suspected_tickets(labelled, version, epoch.scorer)
    others = [one for one in labelled if one.ticket.pk not in dictated]
    found = scoring(others, epoch.scorer, version) if epoch.scorer else {}
    return [ScoredOutcome(*one, found.get(one.ticket.pk), one.ticket.pk in dictated) for one in labelled]


def may_auto_accept(epoch: Epoch, weighed: ScoredOutcome) -> bool:
    """As things stand; where a threshold is certified the verdict has the last word."""
    outcome, score = weighed.outcome, weighed.score
    value = epoch.value(score) if score else None
    return isinstance(outcome, Prediction) and not weighed.dictated and epoch.auto_accepts(outcome.confidence, value)


def is_for_audit(epoch: Epoch, weighed: ScoredOutcome) -> bool:
    """Whether people look at it in any case without being shown what models say, so that no other needs to be asked."""
    if epoch.audits_from is None or weighed.score is None:
        return False
    value = epoch.value(weighed.score)
    return value >= epoch.audits_from or epoch.draw(weighed.ticket.pk) < epoch.audit_share


def review_reason(epoch: Epoch, weighed: ScoredOutcome, second: PredictionOutcome | None) -> Reason:
    """Why a ticket that may not pass waits for a person."""
    first = weighed.outcome
    if isinstance(first, Failure):
        return Reason.OUT_OF_TAXONOMY if first.kind == FailureKind.UNKNOWN_LABEL else Reason.FAILURE
    if weighed.dictated:
        return Reason.PROMPT_INJECTION
    if isinstance(second, Prediction) and not first.same_label(second):
        return Reason.DISAGREEMENT
    return (
        Reason.NOT_CERTIFIED
        if epoch.mode == GateMode.CERTIFIED and epoch.passes_from is None
        else Reason.BELOW_THRESHOLD
    )


def decide(epoch: Epoch, weighed: ScoredOutcome, second: PredictionOutcome | None) -> Verdict:
    """What the gate decides about a ticket, not stored yet."""
    first, auto_accepted = weighed.outcome, may_auto_accept(epoch, weighed)
    return Verdict(
        ticket=weighed.ticket,
        epoch=epoch,
        prediction=first if isinstance(first, Prediction) else None,
        second_opinion=second if isinstance(second, Prediction) else None,
        failure=first if isinstance(first, Failure) else None,
        score=weighed.score,
        threshold=epoch.passes_from if epoch.mode == GateMode.CERTIFIED else epoch.threshold,
        auto_accepted=auto_accepted,
        reason=Reason.CONFIDENT if auto_accepted else review_reason(epoch, weighed, second),
    )


@transaction.atomic(durable=True)
def record_verdicts(epoch: Epoch, weighed: Sequence[ScoredOutcome], seconds: dict[int, PredictionOutcome]) -> None:
    """Write verdicts and move their tickets on; a ticket that somebody else has taken or moved meanwhile is left as it
    is. `seconds` are the second opinions by ticket, where there are any.

    Where a threshold is certified, the epoch's row is held from here on: what is certified cannot change before these
    are written, and draws come one after the other.
    """
    held = [one.ticket for one in weighed]
    new = Ticket.objects.new().select_for_update().filter(pk__in=[ticket.pk for ticket in held]).order_by("pk")
    owners = dict(new.values_list("pk", "owner"))
    still_new = {ticket.pk for ticket in held if ticket.pk in owners and owners[ticket.pk] == ticket.owner}
    if epoch.mode == GateMode.CERTIFIED:
        epoch = Epoch.objects.select_for_update(of=("self",)).get(pk=epoch.pk)
    verdicts = [decide(epoch, one, seconds.get(one.ticket.pk)) for one in weighed if one.ticket.pk in still_new]
    Verdict.objects.current().filter(ticket__in=still_new).update(current=False)
    written = Verdict.objects.bulk_create(verdicts)
    audit_sampling.draw_audits(epoch, written)
    for auto_accepted, state in ((True, Ticket.State.AUTO_ACCEPTED), (False, Ticket.State.NEEDS_REVIEW)):
        tickets = [verdict.ticket_id for verdict in verdicts if verdict.auto_accepted is auto_accepted]
        if tickets:
            Ticket.objects.filter(pk__in=tickets).update(state=state, owner=None)
            state_changed.send(Ticket, ticket_pks=tickets, state=state)
