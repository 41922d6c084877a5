"""Collects what the review screen shows of one ticket, in a fixed number of queries."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import Prediction, Ticket, Verdict, WholeMessage
from review.duplicates.incidents import FEWEST
from review.models import Assignment, Decision, ReviewSettings, SkipReason
from review.screen import queries
from review.screen.attribute_options import sent_answers
from review.screen.card_parts import AttributeField, Choice, Opinion, Selection
from review.screen.display_token import DisplayToken, second_first
from review.screen.label_options import Option, Options
from review.screen.queries import Duplicates, EarlierTicket

DISPLAYED_CHARACTERS = 20_000
MOST_EARLIER, MOST_DUPLICATES = 3, 100
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass
class Card:
    """One ticket for one person; `keys` maps actions to shortcuts, `key` identifies the coming answer."""

    assignment: Assignment
    reviewer: User
    review_settings: ReviewSettings
    options: Options
    keys: dict[str, str]
    names_further: bool = False
    resubmitted: Selection | None = None
    key: UUID = field(default_factory=uuid4)

    @cached_property
    def _ticket_and_verdict(self) -> tuple[Ticket, Verdict | None]:
        """Does not read the verdict for an independent review."""
        if self.is_independent:
            return queries.fetch_ticket(self.assignment.ticket_id), None
        return queries.fetch_ticket_with_verdict(self.assignment.ticket_id)

    @property
    def ticket(self) -> Ticket:
        return self._ticket_and_verdict[0]

    @property
    def verdict(self) -> Verdict | None:
        return self._ticket_and_verdict[1]

    @property
    def text(self) -> str:
        return self.ticket.text[:DISPLAYED_CHARACTERS]

    @property
    def whole_message(self) -> str:
        """The start of the message with its quoted thread and signature; empty if the text has all of it."""
        whole: WholeMessage | None = self.ticket._state.fields_cache.get("whole_message")
        return whole.text[:DISPLAYED_CHARACTERS] if whole else ""

    @property
    def text_lang(self) -> str:
        """The text's language tag for screen readers; empty if unknown or invalid."""
        language = self.ticket.language
        return language if _LANGUAGE_TAG.fullmatch(language) else ""

    @property
    def hidden_characters(self) -> int:
        return max(len(self.ticket.text) - DISPLAYED_CHARACTERS, 0)

    @cached_property
    def token(self) -> str:
        return DisplayToken.for_assignment(
            self.assignment,
            self.reviewer,
            self.verdict,
            self.review_settings,
            has_no_duplicates=not self.duplicates.waiting,
        ).sign()

    @property
    def adjudicates(self) -> bool:
        return self.assignment.purpose == Assignment.Purpose.ADJUDICATION

    @property
    def is_independent(self) -> bool:
        """Whether suggestions and labels of similar tickets must be hidden."""
        return self.adjudicates or self.assignment.blind

    @property
    def for_lead(self) -> bool:
        return self.assignment.lane == Assignment.Lane.LEADS

    @cached_property
    def opinions(self) -> list[Opinion]:
        """One suggestion, two differing ones in random order, or none."""
        if self.adjudicates:
            return self._in_drawn_order([self._person_opinion(decision) for decision in self._double_labels()])
        verdict = self.verdict
        if verdict is None or verdict.prediction is None:
            return []
        first, second = verdict.prediction, verdict.second_opinion
        if second is None or first.same_label(second):
            return [self._model_opinion(first)]
        return self._in_drawn_order([self._model_opinion(first), self._model_opinion(second)])

    @property
    def disagree(self) -> bool:
        return len(self.opinions) > 1

    @property
    def second_model_agrees(self) -> bool:
        verdict = self.verdict
        return bool(self.opinions and not self.disagree and verdict and verdict.second_opinion)

    @property
    def words(self) -> list[Any]:
        """Positions of the words behind the suggestion; hidden for two suggestions, as they would reveal the model."""
        verdict = self.verdict
        return verdict.prediction.words if verdict and verdict.prediction and not self.disagree else []

    @property
    def suggestion(self) -> str:
        """The suggested label's keys as in "12-3"; empty without exactly one suggestion."""
        if len(self.opinions) != 1:
            return ""
        return f"{self.opinions[0].category_pk}-{self.opinions[0].sentiment_pk}"

    @property
    def why(self) -> str:
        """Why the ticket needs review; in a blind review without hints at the model's answer."""
        if self.adjudicates:
            return _("Two agents labelled this independently and disagree. Choose one of their labels or give another.")
        if self.assignment.blind:
            return _("Blind review: no suggestion is shown.")
        if self.verdict is None:
            return ""
        reason = str(self.verdict.get_reason_display())
        # The explanation names models, which two differing suggestions must not reveal.
        return reason if self.disagree else f"{reason}: {self.verdict.explanation}"

    @property
    def categories(self) -> list[Choice]:
        return self._choices(self.options.by_key, self.chosen.category, self.chosen.further)

    @property
    def further_without_key(self) -> list[Option]:
        """The selected further categories that have no shortcut."""
        selected = [option for option in self.options.categories if option.pk in self.chosen.further]
        return [option for option in selected if not option.shortcut]

    @property
    def sentiments(self) -> list[Choice]:
        return self._choices(self.options.sentiments, self.chosen.sentiment)

    @cached_property
    def chosen(self) -> Selection:
        """The selection of a rejected answer, else what all opinions agree on."""
        if self.resubmitted:
            return self.resubmitted
        categories = {opinion.category_pk for opinion in self.opinions}
        sentiments = {opinion.sentiment_pk for opinion in self.opinions}
        category = categories.pop() if len(categories) == 1 else None
        has_key = any(option.pk == category for option in self.options.by_key)
        return Selection(
            category=category if has_key else None,
            other="" if has_key else self.options.category_name(category, offered=True),
            sentiment=sentiments.pop() if len(sentiments) == 1 else None,
            attributes=self._agreed_answers(),
            further=self.opinions[0].further_pks if len(self.opinions) == 1 else (),
        )

    def _agreed_answers(self) -> dict[int, Sequence[str]]:
        """What all opinions answer alike."""
        answers = [opinion.answers for opinion in self.opinions]
        first = answers[0] if answers else {}
        return {pk: sent for pk, sent in first.items() if all(other.get(pk) == sent for other in answers)}

    @property
    def attributes(self) -> list[AttributeField]:
        """The attributes with this person's shortcut for each and what is selected."""
        return [
            AttributeField(attribute, self.keys.get(attribute.action, ""), self.chosen.attributes.get(attribute.pk, []))
            for attribute in self.options.attributes
        ]

    @property
    def skip_reasons(self) -> list[tuple[str, Any]]:
        return list(SkipReason.choices)

    @cached_property
    def _earlier_and_duplicates(self) -> tuple[list[EarlierTicket], Duplicates]:
        """A blind review shows no near-duplicates, because their labels would be a suggestion."""
        if self.assignment.blind:
            return queries.earlier_tickets(self.ticket, MOST_EARLIER), Duplicates(0, [])
        return queries.earlier_and_duplicates(self.ticket, self.assignment.group_id, MOST_EARLIER, MOST_DUPLICATES)

    @property
    def earlier(self) -> list[EarlierTicket]:
        return self._earlier_and_duplicates[0]

    @property
    def duplicates(self) -> Duplicates:
        return self._earlier_and_duplicates[1]

    @property
    def duplicate_lines(self) -> list[str]:
        """Lines on near-duplicates: how many wait, and how others were decided."""
        waiting, decided = self.duplicates
        lines = [
            ngettext("%(number)s was decided as %(label)s", "%(number)s were decided as %(label)s", number)
            % {"number": number, "label": label}
            for label, number in decided
        ]
        if not waiting:
            return lines
        wait = ngettext(
            "%(number)s more is waiting; after your answer you can give it the same label.",
            "%(number)s more are waiting; after your answer you can give them the same label.",
            waiting,
        )
        return [wait % {"number": waiting}, *lines]

    @property
    def incident_size(self) -> int:
        """The number of waiting near-duplicates, this ticket included; 0 if there are few or they are hidden."""
        together = self.duplicates.waiting + 1
        return together if together >= FEWEST else 0

    @cached_property
    def skips_and_escalations(self) -> list[Decision]:
        """For a lead: the latest escalations and skips of the ticket."""
        if not self.for_lead or self.adjudicates:
            return []
        acts = [Decision.Verdict.ESCALATED, Decision.Verdict.SKIPPED]
        decisions = Decision.objects.effective().filter(ticket=self.ticket, verdict__in=acts)
        return list(decisions.select_related("reviewer").order_by("-pk")[:3])

    def _choices(self, options: Sequence[Option], chosen: int | None, further: Sequence[int] = ()) -> list[Choice]:
        return [
            Choice(option, self.keys.get(option.action, ""), option.pk == chosen, option.pk in further)
            for option in options
        ]

    def _double_labels(self) -> list[Decision]:
        labels = Decision.objects.effective().labelled().filter(ticket=self.ticket, purpose=Assignment.Purpose.DOUBLE)
        labels = labels.filter(assignment__round=self.assignment.round)
        return list(labels.order_by("assignment__number"))

    def _in_drawn_order(self, opinions: list[Opinion]) -> list[Opinion]:
        return opinions[::-1] if second_first(self.assignment, self.review_settings) else opinions

    def _model_opinion(self, prediction: Prediction) -> Opinion:
        label = self._label(prediction)
        return Opinion(**label, confidence=prediction.displayed_confidence, words=prediction.reasoning)

    def _person_opinion(self, decision: Decision) -> Opinion:
        return Opinion(**self._label(decision), words=decision.note)

    def _label(self, answer: Prediction | Decision) -> dict[str, Any]:
        answers = sent_answers(self.options.attributes, answer.attributes)
        return {
            "category_pk": answer.category_id,
            "sentiment_pk": answer.sentiment_id,
            "category": self.options.category_name(answer.category_id),
            "sentiment": self.options.sentiment_name(answer.sentiment_id),
            "answers": answers,
            "named_answers": [
                (attribute.name, attribute.text(answers[attribute.pk]))
                for attribute in self.options.attributes
                if attribute.pk in answers
            ],
            "further_pks": answer.further_categories,
            "further": self.options.further_names(answer.further_categories),
        }
