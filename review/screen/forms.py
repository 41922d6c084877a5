"""The form of the review screen."""

from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _

from classifier.models import Category, Sentiment
from classifier.text import key_from
from review.models import SkipReason
from review.models.decision import LONGEST_NOTE
from review.screen.attribute_options import Sent, Unanswerable, unpacked
from review.screen.card_parts import Selection
from review.screen.label_options import CategoryNotFound, Options
from review.workflow.decision_records import Label

OTHER = "other"
"""The value of the radio button for a typed category."""


class AnswerForm(forms.Form):
    """A label, a skip or an escalation, depending on the button pressed."""

    key = forms.UUIDField()
    display_token = forms.CharField(max_length=1_000)
    skip = forms.ChoiceField(choices=SkipReason.choices, required=False)
    escalate = forms.CharField(required=False)
    opinion = forms.RegexField(r"^\d{1,18}-\d{1,18}( \{.*\})?\Z", required=False, max_length=20_000)
    category = forms.CharField(required=False)
    other = forms.CharField(required=False, max_length=500)
    sentiment = forms.CharField(required=False)
    note = forms.CharField(required=False, max_length=LONGEST_NOTE)
    why = forms.CharField(required=False, max_length=LONGEST_NOTE)
    further = forms.TypedMultipleChoiceField(required=False, coerce=int)
    further_typed = forms.CharField(required=False, max_length=500)

    label: Label | None = None
    unanswered: int | None = None
    """The first attribute whose answer was refused."""

    def __init__(self, *args: Any, options: Options, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = options
        further = cast(forms.TypedMultipleChoiceField, self.fields["further"])
        further.choices = [(option.pk, option.name) for option in options.categories]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors or values.get("skip"):
            return values
        if values.get("escalate"):
            if not values.get("why"):
                self.add_error("why", _("Say in a few words what the lead should look at."))
            elif len(self.note_for_lead) > LONGEST_NOTE:
                self.add_error(
                    "why", _("This and your note are too long together: at most %d characters.") % LONGEST_NOTE
                )
            return values
        sent = self._sent_answers()
        if opinion := values.get("opinion"):
            label, _blank, answers = opinion.partition(" ")
            values["category"], values["sentiment"] = label.split("-")
            sent |= unpacked(answers)
        category, sentiment, further = self._category(values), self._sentiment(values), self._further(values)
        if category and sentiment:
            attributes = self._attributes(category, sent)
            self.label = None if self.errors else Label(category, sentiment, attributes, further)
        return values

    def _sent_answers(self) -> dict[int, list[str]]:
        """By attribute, what was sent for it."""
        data: Any = self.data
        fields = {attribute.pk: attribute.field_name for attribute in self._options.attributes}
        return {pk: data.getlist(name) for pk, name in fields.items() if name in data}

    def _attributes(self, category: Category, sent: Sent) -> dict[str, Any]:
        """The answers to the attributes of this category, as they are stored."""
        answers: dict[str, Any] = {}
        for attribute in self._options.attributes:
            if attribute.is_asked_of(category.full_name):
                try:
                    answers[str(attribute.pk)] = attribute.stored(sent.get(attribute.pk, []))
                except Unanswerable as unanswerable:
                    self.add_error(None, str(unanswerable))
                    self.unanswered = self.unanswered or attribute.pk
        return {key: answer for key, answer in answers.items() if answer is not None}

    @property
    def note_for_lead(self) -> str:
        """The reason for the escalation, followed by the note."""
        notes = (self.cleaned_data.get(name) for name in ("why", "note"))
        return "\n".join(text for text in notes if text)

    def _category(self, values: dict[str, Any]) -> Category | None:
        chosen: str = values.get("category", "")
        if chosen == OTHER:
            chosen = self._find_typed(values.get("other", ""))
        category = self._options.category(chosen)
        if not category and "category" not in self.errors:
            self.add_error("category", _("Choose a category."))
        return category

    def _further(self, values: dict[str, Any]) -> list[int]:
        typed = values.get("further_typed", "")
        found = self._find_typed(typed, "further_typed") if typed else ""
        return [*values.get("further", []), *([int(found)] if found else [])]

    def _find_typed(self, typed: str, field: str = "category") -> str:
        try:
            return str(self._options.find(typed).pk)
        except CategoryNotFound as several:
            if str(several):
                self.add_error(field, _("“%(typed)s” could be %(names)s.") % {"typed": typed, "names": several})
            elif typed:
                self.add_error(field, _("There is no category “%s”.") % typed)
            return ""

    def _sentiment(self, values: dict[str, Any]) -> Sentiment | None:
        sentiment = self._options.sentiment(values.get("sentiment", ""))
        if not sentiment:
            self.add_error("sentiment", _("Choose a sentiment."))
        return sentiment

    def _sent_further(self) -> list[str]:
        return self.data.getlist("further") if isinstance(self.data, QueryDict) else []

    def chosen(self) -> Selection:
        """The submitted values and errors, to show the form again."""
        category, sentiment = self.data.get("category", ""), self.data.get("sentiment", "")
        return Selection(
            category=key_from(category),
            other=self.data.get("other", "") if category == OTHER else "",
            sentiment=key_from(sentiment),
            attributes=self._sent_answers(),
            unanswered=self.unanswered,
            note=self.data.get("note", ""),
            why=self.data.get("why", ""),
            further=[pk for value in self._sent_further() if (pk := key_from(value))],
            further_typed=self.data.get("further_typed", ""),
            escalating=bool(self.data.get("escalate")),
            errors=tuple(str(error) for errors in self.errors.values() for error in errors),
        )
