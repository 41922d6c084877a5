"""Signs what a person was shown into the page, so that the decision records it even if the ticket changes."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.core import signing
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.models import Prediction, Verdict
from review.models import Assignment, ReviewSettings
from review.workflow.decision_records import Presented

_SALT = "review.screen.display_token"

PredictionKeys = tuple[int, int, int]
"""The keys of a prediction, its category and its sentiment."""


class InvalidToken(Exception):
    """This server did not issue the token, or issued it to another person; the message says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayToken:
    """An assignment as one person saw it. For a blind one it names no prediction: it must not leak into the page."""

    assignment: int
    ticket: int
    reviewer: int
    since: float
    has_no_duplicates: bool
    """No near-duplicate was waiting that could get the same label."""
    prediction: PredictionKeys | None = None
    second_opinion: PredictionKeys | None = None
    second_first: bool = False

    @classmethod
    def for_assignment(
        cls,
        assignment: Assignment,
        reviewer: User,
        verdict: Verdict | None,
        review_settings: ReviewSettings,
        *,
        has_no_duplicates: bool = False,
    ) -> "DisplayToken":
        visible = verdict if not assignment.blind else None
        return cls(
            assignment=assignment.pk,
            ticket=assignment.ticket_id,
            reviewer=reviewer.pk,
            since=(assignment.taken_at or timezone.now()).timestamp(),
            has_no_duplicates=has_no_duplicates,
            prediction=_keys(visible.prediction) if visible else None,
            second_opinion=_keys(visible.second_opinion) if visible else None,
            second_first=bool(visible) and second_first(assignment, review_settings),
        )

    @classmethod
    def parse(cls, token: str, reviewer: User) -> "DisplayToken":
        """Raises InvalidToken."""
        try:
            display_token = cls(**dict(zip(cls.__slots__, signing.loads(token, salt=_SALT), strict=True)))
        except (signing.BadSignature, ValueError) as error:
            raise InvalidToken(_("That page was out of date. Your answer was not recorded.")) from error
        if display_token.reviewer != reviewer.pk:
            raise InvalidToken(_("Someone else was signed in when that page was opened. The answer was not recorded."))
        return display_token

    def sign(self) -> str:
        return signing.dumps([getattr(self, name) for name in self.__slots__], salt=_SALT)

    def assignment_stub(self) -> Assignment:
        """The assignment with its keys only, without a query."""
        return Assignment(pk=self.assignment, ticket_id=self.ticket)

    def presented(self) -> Presented:
        """For the decision; the predictions hold only their keys and labels."""
        return Presented(
            prediction=_prediction(self.prediction),
            second_opinion=_prediction(self.second_opinion),
            second_first=self.second_first,
            since=datetime.fromtimestamp(self.since, UTC),
        )


def second_first(assignment: Assignment, review_settings: ReviewSettings) -> bool:
    """Whether the second of two answers is listed first: drawn at random, so nobody learns which model is which."""
    return review_settings.draw(assignment.ticket_id, "order") < 0.5


def _keys(prediction: Prediction | None) -> PredictionKeys | None:
    return (prediction.pk, prediction.category_id, prediction.sentiment_id) if prediction else None


def _prediction(keys: PredictionKeys | None) -> Prediction | None:
    if keys is None:
        return None
    pk, category, sentiment = keys
    return Prediction(pk=pk, category_id=category, sentiment_id=sentiment)
