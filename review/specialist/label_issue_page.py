"""Content of the label issues page, which hides who labelled a text and when so as not to bias the reviewer."""

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from review.models import GoldLabel, LabelIssue, Side
from review.models.label_issue import LabelIssueQuerySet
from review.screen.label_options import Options
from review.specialist import label_issues
from review.specialist.label_issue_form import CorrectLabelForm

SHOWN_CHARACTERS = 20_000


class LabelPair(NamedTuple):
    """The names of a category and a sentiment."""

    category: str
    sentiment: str

    def __str__(self) -> str:
        return f"{self.category} | {self.sentiment}"


class RemainingCount(NamedTuple):
    """How many label issues there are; `is_capped` if there are more than were counted."""

    number: int
    is_capped: bool

    @classmethod
    def of(cls, issues: LabelIssueQuerySet) -> "RemainingCount":
        number = issues.order_by()[: label_issues.COUNTED].count()
        return cls(min(number, label_issues.COUNTED - 1), number == label_issues.COUNTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelIssueCard:
    """A label issue, and the labels that can be chosen instead."""

    label_issue: LabelIssue
    options: Options
    given: LabelPair
    suggested: LabelPair

    @classmethod
    def first(cls) -> "LabelIssueCard | None":
        """The pending issue with the lowest self-confidence; None if nothing is pending (one or two queries)."""
        return cls._from(label_issues.pending())

    @classmethod
    def by_pk(cls, pk: int) -> "LabelIssueCard | None":
        """This issue, even if it has been checked; None if its label is held out or no longer in use."""
        return cls._from(LabelIssue.objects.filter(pk=pk, gold__in=GoldLabel.objects.usable().on_side(Side.TRAINING)))

    @classmethod
    def _from(cls, wanted: LabelIssueQuerySet) -> "LabelIssueCard | None":
        label_issue = wanted.select_related("gold").first()
        if label_issue is None:
            return None
        options = Options.current()
        given, suggested = (
            LabelPair(options.category_name(label.category_id), options.sentiment_name(label.sentiment_id))
            for label in (label_issue.gold, label_issue)
        )
        return cls(label_issue=label_issue, options=options, given=given, suggested=suggested)

    @property
    def text(self) -> str:
        return self.label_issue.gold.text[:SHOWN_CHARACTERS]

    @property
    def left_out(self) -> int:
        return max(len(self.label_issue.gold.text) - SHOWN_CHARACTERS, 0)

    @property
    def form(self) -> CorrectLabelForm:
        return CorrectLabelForm(self.options, self.label_issue.gold)

    @property
    def has_suggestion(self) -> bool:
        """Whether the model suggests a different label that is still in use."""
        same = self.given == self.suggested
        categories = {option.pk for option in self.options.categories}
        sentiments = {option.pk for option in self.options.sentiments}
        return not same and self.label_issue.category_id in categories and self.label_issue.sentiment_id in sentiments

    @property
    def self_confidence(self) -> str:
        percent = round(100 * self.label_issue.self_confidence)
        return _("%d%%") % percent if percent else _("under 1%")

    @property
    def token(self) -> str:
        return version_token(self.label_issue)


def version_token(label_issue: LabelIssue) -> str:
    """Identifies the label and the check that a form was rendered with, so that a stale form changes nothing."""
    at = label_issue.confirmed_at.isoformat() if label_issue.confirmed_at else ""
    return f"{label_issue.gold.category_id}-{label_issue.gold.sentiment_id}-{at}"
