"""What a person was shown, sealed into the page, so that the decision records it whatever happens meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core import signing
from django.utils import timezone

from classifier.models import Prediction, Verdict
from review.models import Assignment, ReviewSettings
from review.workflow.decision_records import Shown

_SALT = "review.screen.display_token"


Answer = tuple[int, int, int]
"""A prediction, its category and its sentiment, by their keys."""


class NotShown(Exception):
    """The page was not given out by this server, or to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """An assignment shown to a person. Of a blind one it names no prediction: the page's source tells nothing either.

    `ticket` is 0 in a page from before an upgrade that added it.
    """

    assignment: int
    reviewer: int
    since: float
    prediction: Answer | None = None
    second_opinion: Answer | None = None
    second_first: bool = False
    ticket: int = 0
    alone: bool = False
    """Nothing like it waited that could be given the same label."""

    @classmethod
    def of(
        cls,
        assignment: Assignment,
        reviewer: User,
        verdict: Verdict | None,
        review_settings: ReviewSettings,
        *,
        alone: bool = False,
    ) -> Showing:
        shown: dict[str, Any] = {}
        if verdict and not assignment.blind:
            shown = {
                "prediction": _answer(verdict.prediction),
                "second_opinion": _answer(verdict.second_opinion),
                "second_first": second_first(assignment, review_settings),
            }
        where: dict[str, Any] = {"assignment": assignment.pk, "ticket": assignment.ticket_id, "alone": alone}
        since = (assignment.taken_at or timezone.now()).timestamp()
        return cls(**where, reviewer=reviewer.pk, since=since, **shown)

    @classmethod
    def read(cls, token: str, reviewer: User) -> Showing:
        """Raises NotShown."""
        try:
            values = signing.loads(token, salt=_SALT)
        except signing.BadSignature as error:
            raise NotShown from error
        showing = cls(**dict(zip(cls.__slots__, values, strict=False)))
        if showing.reviewer != reviewer.pk:
            raise NotShown
        return showing

    def token(self) -> str:
        """For a hidden field."""
        return signing.dumps([getattr(self, name) for name in self.__slots__], salt=_SALT)

    def asked(self) -> Assignment:
        """The assignment by its keys alone. Raises Assignment.DoesNotExist where the page does not say of which ticket
        it is.
        """
        return (
            Assignment(pk=self.assignment, ticket_id=self.ticket)
            if self.ticket
            else Assignment.objects.get(pk=self.assignment)
        )

    def shown(self) -> Shown:
        """As a decision records it; the predictions are there by their keys and labels only."""
        return Shown(
            prediction=_prediction(self.prediction),
            second_opinion=_prediction(self.second_opinion),
            second_first=self.second_first,
            since=datetime.fromtimestamp(self.since, UTC),
        )


def second_first(assignment: Assignment, review_settings: ReviewSettings) -> bool:
    """Which of two answers stands first is drawn, so that nobody learns whose is whose."""
    return review_settings.draw(assignment.ticket_id, "order") < 0.5


def _answer(prediction: Prediction | None) -> Answer | None:
    return (prediction.pk, prediction.category_id, prediction.sentiment_id) if prediction else None


def _prediction(answer: Answer | None) -> Prediction | None:
    if answer is None:
        return None
    pk, category, sentiment = answer
    return Prediction(pk=pk, category_id=category, sentiment_id=sentiment)
