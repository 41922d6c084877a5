"""The gate: decides which tickets are auto-accepted and which need review, and records one verdict per ticket."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from classifier.contract.types import FailureKind
from classifier.models import (
    ContractVersion,
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
from classifier.pipeline import answering, audit_sampling, incident_guard, injection_check, scoring
from classifier.pipeline.cluster import Cluster
from classifier.pipeline.predict import PredictionOutcome, TicketOutcome
from classifier.security import prompt_injection


class ScoredOutcome(NamedTuple):
    """A ticket with its prediction or failure, the score of the prediction (None where no score decides), whether the
    text is a suspected prompt injection, which always needs review, and whether it needs review unless the second
    opinion agrees.
    """

    ticket: Ticket
    outcome: PredictionOutcome
    score: Score | None
    suspected_injection: bool = False
    needs_agreement: bool = False


def confidence_epoch(language_model: LanguageModel, version: ContractVersion, threshold: float) -> Epoch:
    """The epoch in which this model's confidence decides, created if new. Each specialist version gets its own."""
    return _running_epoch(GateMode.CONFIDENCE, language_model, version, {"threshold": threshold})


def current_epoch(settings: Gate, version: ContractVersion) -> Epoch:
    """The epoch of the active primary in the gate's mode, created if new.

    A certified threshold covers the answers of the whole cascade, so the front model is part of the epoch's key.
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
        # The injection patterns decide which tickets the certificate covers.
        parts.append(prompt_injection.DETECTOR_VERSION)
    key = ":".join(str(part) for part in parts)
    values = {"language_model": language_model, "contract": version, "version_id": serving, "mode": mode, **frozen}
    epoch, begun = Epoch.objects.running().get_or_create(key=key, defaults=values)
    if begun and mode == GateMode.CERTIFIED:
        # Earlier certificates covered another configuration.
        Epoch.objects.running().filter(mode=mode).exclude(pk=epoch.pk).update(ended_at=timezone.now())
    return epoch


@transaction.atomic(durable=True)
def change_settings(*, by: User, reason: str, **values: Any) -> None:
    """Set fields of the gate, such as `threshold` or `mode`; author and reason go into its history.

    Raises ValidationError for a threshold that is not from 0 to 1, or an unknown mode.
    """
    gate = Gate.objects.select_for_update().get(pk=1)
    for name, value in values.items():
        setattr(gate, name, value)
    gate.clean_fields(exclude=["primary", "second_opinion", "front"])
    historic = cast(Any, gate)
    historic._history_user, historic._change_reason = by, reason[:100]
    gate.save(update_fields=list(values))


def score_outcomes(
    epoch: Epoch,
    outcomes: Sequence[TicketOutcome],
    version: ContractVersion,
    *,
    answer: Callable[
        [Sequence[TicketOutcome], Scorer, ContractVersion], Sequence[TicketOutcome]
    ] = answering.stored_answers,
    score: Callable[[Sequence[TicketOutcome], Scorer, ContractVersion], dict[int, Score]] = scoring.stored_scores,
    second_agrees: bool = False,
) -> list[ScoredOutcome]:
    """Each outcome with its score, where one decides. `answer` replaces predictions by those that count, and `score`
    returns their scores, by ticket.

    A suspected injection gets none: it always needs review, so no threshold covers it and none of it is audited. With
    `second_agrees`, a second opinion will be asked about answers that their texts may have dictated.
    """
    if second_agrees:
        return [
            ScoredOutcome(*outcome, None, *check)
            for outcome, check in zip(outcomes, injection_check.checks(outcomes, version), strict=True)
        ]
    if epoch.scorer:
        outcomes = answer(outcomes, epoch.scorer, version)
    suspected = injection_check.suspected_tickets(outcomes, version)
    trusted = [outcome for outcome in outcomes if outcome.ticket.pk not in suspected]
    scores = score(trusted, epoch.scorer, version) if epoch.scorer else {}
    return [
        ScoredOutcome(*outcome, scores.get(outcome.ticket.pk), outcome.ticket.pk in suspected) for outcome in outcomes
    ]


def may_auto_accept(epoch: Epoch, scored: ScoredOutcome) -> bool:
    """Whether the epoch, as it was read, would auto-accept this. `record_verdicts` reads a certified epoch again."""
    prediction = scored.outcome
    value = epoch.value(scored.score) if scored.score else None
    return (
        isinstance(prediction, Prediction)
        and not scored.suspected_injection
        and epoch.auto_accepts(prediction.confidence, value)
    )


def is_for_audit(epoch: Epoch, scored: ScoredOutcome) -> bool:
    """Whether people will review the ticket blind whatever the models say, which makes a second opinion pointless."""
    if epoch.audits_from is None or scored.score is None:
        return False
    return epoch.value(scored.score) >= epoch.audits_from or epoch.draw(scored.ticket.pk) < epoch.audit_share


def review_reason(epoch: Epoch, scored: ScoredOutcome, second: PredictionOutcome | None) -> Reason:
    """Why a ticket that is not auto-accepted needs review."""
    first = scored.outcome
    if isinstance(first, Failure):
        return Reason.OUT_OF_TAXONOMY if first.kind == FailureKind.UNKNOWN_LABEL else Reason.FAILURE
    if scored.suspected_injection or (scored.needs_agreement and may_auto_accept(epoch, scored)):
        return Reason.PROMPT_INJECTION
    if isinstance(second, Prediction) and not first.same_label(second):
        return Reason.DISAGREEMENT
    uncertified = epoch.mode == GateMode.CERTIFIED and epoch.certified_threshold is None
    return Reason.NOT_CERTIFIED if uncertified else Reason.BELOW_THRESHOLD


def decide(epoch: Epoch, scored: ScoredOutcome, second: PredictionOutcome | None) -> Verdict:
    """The verdict on a ticket, not saved yet."""
    first = scored.outcome
    auto_accepted = may_auto_accept(epoch, scored) and (not scored.needs_agreement or _agree(first, second))
    return Verdict(
        ticket=scored.ticket,
        epoch=epoch,
        prediction=first if isinstance(first, Prediction) else None,
        second_opinion=second if isinstance(second, Prediction) else None,
        failure=first if isinstance(first, Failure) else None,
        score=scored.score,
        threshold=epoch.certified_threshold if epoch.mode == GateMode.CERTIFIED else epoch.threshold,
        auto_accepted=auto_accepted,
        reason=Reason.CONFIDENT if auto_accepted else review_reason(epoch, scored, second),
    )


def _agree(first: PredictionOutcome, second: PredictionOutcome | None) -> bool:
    return isinstance(first, Prediction) and isinstance(second, Prediction) and first.same_label(second)


def record_verdicts(
    epoch: Epoch, outcomes: Sequence[ScoredOutcome], second_opinions: dict[int, PredictionOutcome]
) -> None:
    """Save verdicts and move their tickets to the next state. `second_opinions` are by ticket.

    Skips tickets that someone else has claimed or moved meanwhile. In certified mode the epoch's row stays locked, so
    the certificate cannot change before these verdicts are saved, and audits are drawn one after the other.
    """
    guarded = incident_guard.is_on(epoch)
    if guarded:
        incident_guard.encode([outcome.ticket for outcome in outcomes])
    _record_verdicts(epoch, outcomes, second_opinions, guarded=guarded)


@transaction.atomic(durable=True)
def _record_verdicts(
    epoch: Epoch,
    outcomes: Sequence[ScoredOutcome],
    second_opinions: dict[int, PredictionOutcome],
    *,
    guarded: bool,
) -> None:
    tickets = [outcome.ticket for outcome in outcomes]
    new = Ticket.objects.new().select_for_update().filter(pk__in=[ticket.pk for ticket in tickets]).order_by("pk")
    owners = dict(new.values_list("pk", "owner"))
    still_new = {ticket.pk for ticket in tickets if ticket.pk in owners and owners[ticket.pk] == ticket.owner}
    if epoch.mode == GateMode.CERTIFIED:
        epoch = Epoch.objects.select_for_update(of=("self",)).get(pk=epoch.pk)
    taken = [outcome for outcome in outcomes if outcome.ticket.pk in still_new]
    verdicts = [decide(epoch, outcome, second_opinions.get(outcome.ticket.pk)) for outcome in taken]
    clusters = incident_guard.clusters_for(epoch, [outcome.ticket for outcome in taken]) if guarded else {}
    for verdict in verdicts:
        incident_guard.hold(verdict, clusters.get(verdict.ticket_id, Cluster()))
    Verdict.objects.current().filter(ticket__in=still_new).update(current=False)
    written = Verdict.objects.bulk_create(verdicts)
    audit_sampling.draw_audits(epoch, written, clusters)
    for auto_accepted, state in ((True, Ticket.State.AUTO_ACCEPTED), (False, Ticket.State.NEEDS_REVIEW)):
        ticket_pks = [verdict.ticket_id for verdict in verdicts if verdict.auto_accepted is auto_accepted]
        if ticket_pks:
            Ticket.objects.filter(pk__in=ticket_pks).update(state=state, owner=None)
            state_changed.send(Ticket, ticket_pks=ticket_pks, state=state)
