"""What the label issues page shows. It hides who labelled a text and when, which would bias the reviewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from review.models import GoldLabel, LabelIssue
from review.models.label_issue import LabelIssueQuerySet
from review.screen.label_options import Options
from review.specialist import label_issues

SHOWN_CHARACTERS = 20_000


class LabelPair(NamedTuple):
    """A label as the page names it."""

    category: str
    sentiment: str

    def __str__(self) -> str:
        return f"{self.category} | {self.sentiment}"


class RemainingCount(NamedTuple):
    """How many wait, counted up to a limit, which `is_capped` says was reached."""

    number: int
    is_capped: bool

    @classmethod
    def load(cls) -> RemainingCount:
        """One count."""
        number = label_issues.pending().order_by()[: label_issues.COUNTED].count()
        return cls(min(number, label_issues.COUNTED - 1), number == label_issues.COUNTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelIssueCard:
    """One label in doubt, and what may be chosen instead."""

    label_issue: LabelIssue
    options: Options
    given: LabelPair
    suggested: LabelPair

    @classmethod
    def first(cls) -> LabelIssueCard | None:
        """The least believed of those that wait (two queries, or one)."""
        return cls._from(label_issues.pending())

    @classmethod
    def by_pk(cls, pk: int) -> LabelIssueCard | None:
        """This very one, though somebody may have looked at it; None where its label is out of use."""
        return cls._from(LabelIssue.objects.filter(pk=pk, gold__state=GoldLabel.State.ACTIVE))

    @classmethod
    def _from(cls, wanted: LabelIssueQuerySet) -> LabelIssueCard | None:
        label_issue = wanted.select_related("gold").first()
        if label_issue is None:
            return None
        options = Options.current()
        given, suggested = (
            LabelPair(options.category_name(one.category_id), options.sentiment_name(one.sentiment_id))
            for one in (label_issue.gold, label_issue)
        )
        return cls(label_issue=label_issue, options=options, given=given, suggested=suggested)

    @property
    def text(self) -> str:
        return self.label_issue.gold.text[:SHOWN_CHARACTERS]

    @property
    def left_out(self) -> int:
        return max(len(self.label_issue.gold.text) - SHOWN_CHARACTERS, 0)

    @property
    def has_suggestion(self) -> bool:
        """Whether the model has another label, and one that may be given."""
        same = self.given == self.suggested
        categories = {option.pk for option in self.options.categories}
        sentiments = {option.pk for option in self.options.sentiments}
        return not same and self.label_issue.category_id in categories and self.label_issue.sentiment_id in sentiments

    @property
    def self_confidence(self) -> str:
        """The model's belief in the label given."""
        percent = round(100 * self.label_issue.self_confidence)
        return _("%d%%") % percent if percent else _("under 1%")

    @property
    def token(self) -> str:
        """What was seen, so that nobody answers for a label, or a look at it, that came later."""
        return version_token(self.label_issue)


def version_token(label_issue: LabelIssue) -> str:
    """The label in doubt and when somebody had looked at it, for a hidden field."""
    at = label_issue.confirmed_at.isoformat() if label_issue.confirmed_at else ""
    return f"{label_issue.gold.category_id}-{label_issue.gold.sentiment_id}-{at}"
