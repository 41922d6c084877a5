"""Forms of a benchmark run's pages: filter answers, set a threshold, dispute a label."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from review.benchmark.formatting import NO_LABEL, LabelNames
from review.benchmark.model_answers import AnswerFilter
from review.models import Result


class AnswersForm(forms.Form):
    """Which answers to show. An invalid value in the address is ignored."""

    show = forms.ChoiceField(label=gettext_lazy("answers"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("expected category"), required=False)
    predicted_category = forms.ChoiceField(label=gettext_lazy("answered category"), required=False)
    sentiment = forms.ChoiceField(label=gettext_lazy("expected sentiment"), required=False)
    predicted_sentiment = forms.ChoiceField(label=gettext_lazy("answered sentiment"), required=False)
    change = forms.ChoiceField(label=gettext_lazy("against the baseline"), required=False)
    failure = forms.ChoiceField(label=gettext_lazy("failure"), required=False)

    def __init__(self, data: Mapping[str, Any], *, names: LabelNames, failures: Sequence[str], compared: bool) -> None:
        super().__init__(data)
        for axis in ("category", "sentiment"):
            labels = [(str(pk), name) for pk, name in names.for_axis(axis).items()]
            self._choices(axis, labels)
            self._choices(f"predicted_{axis}", [*labels, (NO_LABEL, _("none of these"))])
        self._choices(
            "show",
            [
                ("wrong", _("wrong")),
                ("wrong_category", _("wrong category")),
                ("wrong_sentiment", _("wrong sentiment")),
                ("right", _("right")),
            ],
            _("all"),
        )
        self._choices_or_remove(
            "change", [("fixed", _("fixed since")), ("broken", _("broken since"))] if compared else []
        )
        self._choices_or_remove("failure", [(kind, kind) for kind in failures])

    def _choices_or_remove(self, name: str, choices: list[tuple[str, str]]) -> None:
        if choices:
            self._choices(name, choices)
        else:
            del self.fields[name]

    def _choices(self, name: str, choices: list[tuple[str, str]], empty: str = "") -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
        field.choices = [("", empty or _("any")), *choices]

    @property
    def answer_filter(self) -> AnswerFilter:
        self.is_valid()
        return AnswerFilter(**self.cleaned_data)

    @property
    def active(self) -> bool:
        self.is_valid()
        return any(self.cleaned_data.values())


class ThresholdForm(forms.Form):
    threshold = forms.FloatField(min_value=0, max_value=1)

    @classmethod
    def threshold_in(cls, data: Mapping[str, Any]) -> float | None:
        """The threshold sent; None if it is missing or invalid."""
        form = cls(data)
        return form.cleaned_data["threshold"] if form.is_valid() else None


class DisputeForm(forms.Form):
    """A dispute of the expected label of a result; with many on a page, `result` makes the field's id unique."""

    reason = forms.CharField(
        label=gettext_lazy("What is wrong with the label?"),
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy(
            "Two reviewers who haven't seen it will label it, without seeing the current label or any model's answer."
        ),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, result: Result | None = None) -> None:
        super().__init__(data, auto_id=f"%s-{result.pk}" if result else "%s")
