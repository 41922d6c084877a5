"""Make tickets arrive at a certified gate, and audit them."""

from collections.abc import Sequence
from itertools import count
from typing import Any
from zlib import crc32

import numpy as np
from django.contrib.auth.models import User

from classifier.embeddings.sources import encoder_sources
from classifier.models import ContractVersion, Epoch, Gate, GateMode, Prediction, Score, Ticket, Vector
from classifier.models.specialist import text_digest
from classifier.pipeline import gate
from classifier.pipeline.predict import TicketOutcome
from classifier.scoring.signals import AxisSignals, Signals
from review.certification import cycle
from review.models import AccuracyTarget, Assignment
from tests.factories import configure_review, make_prediction
from tests.review.actions import answer

SURE, UNSURE = 0.99, 0.005
EASY = {"target": 0.8, "double_check_share": 0.0, "missed_share": 0.0}
ENOUGH = 20
"""Clean audits of sure tickets that certify the target of 80%."""
SPREAD = [0.01 * number for number in range(100)]
"""Scores from the least to the most certain."""

_numbers = count(1)


def certify(**accuracy_target: Any) -> None:
    """Turn on certified auto-accept with a target of 80%, which takes few audits, and without double checks."""
    configure_review()
    Gate.objects.update(mode=GateMode.CERTIFIED)
    AccuracyTarget.objects.update_or_create(pk=1, defaults=EASY | accuracy_target)


def epoch_now() -> Epoch:
    return gate.current_epoch(Gate.current(), ContractVersion.objects.current())


def arrive(*values: float, agrees: bool = True, alike: str = "", **prediction_values: Any) -> list[Ticket]:
    """Create tickets with predictions of these scores and let the gate judge them; those with the same `alike` have the
    same embedding.
    """
    epoch = epoch_now()
    first = next(_numbers)
    tickets = Ticket.objects.bulk_create(
        Ticket(text=f"Ticket {first}, {place}: something about {place * 7919 % 10_007}") for place in range(len(values))
    )
    _embed(tickets, alike)
    pattern = make_prediction(tickets[0], **prediction_values)
    same = {field.attname: getattr(pattern, field.attname) for field in Prediction._meta.concrete_fields[1:]}
    others = [Prediction(**same | {"ticket_id": ticket.pk}) for ticket in tickets[1:]]
    predictions = [pattern, *Prediction.objects.bulk_create(others)]
    for ticket, prediction in zip(tickets, predictions, strict=True):
        prediction.ticket = ticket
    Score.objects.bulk_create(
        score(epoch, prediction, value, agrees=agrees) for prediction, value in zip(predictions, values, strict=True)
    )
    labelled = [TicketOutcome(ticket, prediction) for ticket, prediction in zip(tickets, predictions, strict=True)]
    scored = gate.score_outcomes(epoch, labelled, epoch.contract.loaded())
    passing = [outcome for outcome in scored if gate.may_auto_accept(epoch, outcome)]
    gate.record_verdicts(epoch, passing, {})
    gate.record_verdicts(epoch, [outcome for outcome in scored if outcome not in passing], {})
    return tickets


def _embed(tickets: Sequence[Ticket], alike: str) -> None:
    """Store embeddings at random, since a sentence with another number in it is alike to a real encoder."""
    encoder = encoder_sources()[0].name
    Vector.objects.bulk_create(
        Vector(digest=text_digest(ticket.text), encoder=encoder, values=_embedding(alike or ticket.text))
        for ticket in tickets
    )


def _embedding(key: str) -> bytes:
    return np.random.default_rng(crc32(key.encode())).standard_normal(384).astype(np.float16).tobytes()


def score(epoch: Epoch, prediction: Prediction, value: float, *, agrees: bool = True) -> Score:
    """An unsaved score."""
    assert epoch.scorer
    axis = AxisSignals(agrees=agrees, probability=value, margin=0.0)
    signals = Signals(confidence=prediction.confidence, category=axis, sentiment=axis, closeness=0.7)
    return Score(
        prediction=prediction,
        scorer=epoch.scorer,
        category=value,
        sentiment=value,
        both=value,
        signals=signals.as_json(),
        digest=text_digest(prediction.ticket.text),
    )


def make_grid() -> Epoch:
    """Let enough tickets arrive for a grid of thresholds from 0.01 to 0.5; none of them is evidence."""
    arrive(*SPREAD)
    cycle.run_certification()
    epoch = epoch_now()
    epoch.refresh_from_db()
    return epoch


def open_audits(tickets: Sequence[Ticket] = ()) -> list[Assignment]:
    assignments = Assignment.objects.open().filter(purpose=Assignment.Purpose.AUDIT).order_by("ticket_id", "number")
    assignments = assignments.select_related("ticket")
    return list(assignments.filter(ticket__in=tickets) if tickets else assignments)


def audit(person: User, assignments: Sequence[Assignment], *, wrong: int = 0) -> None:
    """Answer these audits with the model's label, the first `wrong` of them with another category."""
    for place, assignment in enumerate(assignments):
        prediction = assignment.ticket.predictions.get()
        category = "Account" if place < wrong else prediction.category.name
        answer(assignment, person, category, prediction.sentiment.name)
