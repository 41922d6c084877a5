"""What a person sees of a label in doubt; without who gave it and when, which would weigh more than the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from review.models import GoldLabel, LabelIssue
from review.models.label_issue import LabelIssueQuerySet
from review.screen.label_options import Options
from review.specialist import label_issues

SHOWN_CHARACTERS = 20_000


class Named(NamedTuple):
    """A label as the page names it."""

    category: str
    sentiment: str

    def __str__(self) -> str:
        return f"{self.category} | {self.sentiment}"


class Left(NamedTuple):
    """How many wait, counted up to a limit, which `more` says was reached."""

    number: int
    more: bool

    @classmethod
    def now(cls) -> Left:
        """One count."""
        number = label_issues.listed().order_by()[: label_issues.COUNTED].count()
        return cls(min(number, label_issues.COUNTED - 1), number == label_issues.COUNTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One label in doubt, and what may be chosen instead."""

    label_issue: LabelIssue
    options: Options
    given: Named
    suggested: Named

    @classmethod
    def first(cls) -> Item | None:
        """The least believed of those that wait (two queries, or one)."""
        return cls._of(label_issues.listed())

    @classmethod
    def again(cls, pk: int) -> Item | None:
        """This very one, though somebody may have looked at it; None where its label is out of use."""
        return cls._of(LabelIssue.objects.filter(pk=pk, gold__state=GoldLabel.State.ACTIVE))

    @classmethod
    def _of(cls, wanted: LabelIssueQuerySet) -> Item | None:
        label_issue = wanted.select_related("gold").first()
        if label_issue is None:
            return None
        options = Options.current()
        given, suggested = (
            Named(options.category_name(one.category_id), options.sentiment_name(one.sentiment_id))
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
    def offered(self) -> bool:
        """Whether the model has another label, and one that may be given."""
        same = self.given == self.suggested
        categories = {option.pk for option in self.options.categories}
        sentiments = {option.pk for option in self.options.sentiments}
        return not same and self.label_issue.category_id in categories and self.label_issue.sentiment_id in sentiments

    @property
    def believed(self) -> str:
        """The model's belief in the label given."""
        percent = round(100 * self.label_issue.self_confidence)
        return _("%d%%") % percent if percent else _("under 1%")

    @property
    def token(self) -> str:
        """What was seen, so that nobody answers for a label, or a look at it, that came later."""
        return token_of(self.label_issue)


def token_of(label_issue: LabelIssue) -> str:
    """The label in doubt and when somebody had looked at it, for a hidden field."""
    at = label_issue.confirmed_at.isoformat() if label_issue.confirmed_at else ""
    return f"{label_issue.gold.category_id}-{label_issue.gold.sentiment_id}-{at}"
