"""Forms of the certification page. People enter shares in percent."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from classifier.models import Criterion, Gate, GateMode
from classifier.pipeline import gate
from review.certification import accuracy_target
from review.models import AccuracyTarget

MAX_REASON_LENGTH = 100


class Percent(forms.FloatField):
    """A share, entered in percent: 97 is 0.97."""

    def __init__(self, low: float, high: float, **values: Any) -> None:
        super().__init__(min_value=low, max_value=high, step_size=None, **values)
        self.widget.attrs |= {"step": "any", "inputmode": "decimal"}

    def clean(self, value: Any) -> Any:
        percent = super().clean(value)
        # Rounded so that 97 equals the stored 0.97.
        return None if percent is None else round(percent / 100, 6)

    def prepare_value(self, value: Any) -> Any:
        return f"{100 * value:.6g}" if isinstance(value, float) else value


def _reason_field() -> forms.CharField:
    return forms.CharField(
        label=_("Why"), max_length=MAX_REASON_LENGTH, help_text=_("For the history; your name is recorded with it.")
    )


class AccuracyTargetForm(forms.Form):
    target = Percent(
        50, 99.9, label=_("At least right, %"), help_text=_("Share of auto-accepted tickets, from 50 to 99.9.")
    )
    risk = Percent(
        0.1, 50, label=_("Risk, %"), help_text=_("Accepted probability that a certificate is false, from 0.1 to 50.")
    )
    early_share = Percent(
        3,
        100,
        label=_("Audits at first, %"),
        help_text=_("Share of tickets audited while there is little evidence, from 3."),
    )
    late_share = Percent(
        3, 100, label=_("Audits later, %"), help_text=_("Share of tickets audited once there is plenty, from 3.")
    )
    double_check_share = Percent(
        0,
        100,
        label=_("Double-checked agreements, %"),
        help_text=_("Share of audits that agree with the model and still go to a second person."),
    )
    missed_share = Percent(
        0,
        50,
        label=_("Errors that people overlook, %"),
        help_text=_("Share of the model's errors that audits are assumed to miss; the test is stricter by as much."),
    )
    by_category = forms.BooleanField(
        label=_("Certify categories on their own too"),
        required=False,
        help_text=_("Shows which categories meet the target on their own; this takes more audits."),
    )
    why = _reason_field()

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        accuracy_target = AccuracyTarget.current()
        names = [name for name in self.base_fields if name != "why"]
        super().__init__(
            data, initial={name: getattr(accuracy_target, name) for name in names}, prefix="accuracy_target"
        )

    def save(self, by: User) -> None:
        values = dict(self.cleaned_data)
        reason = values.pop("why")
        accuracy_target.set_accuracy_target(values, by=by, reason=reason)


class ModeForm(forms.Form):
    SAVED = ("mode", "about", "score_threshold", "incident_guard")

    mode = forms.ChoiceField(label=_("Decided by"), choices=GateMode.choices, widget=forms.RadioSelect)
    about = forms.ChoiceField(label=_("What has to be right"), choices=Criterion.choices, widget=forms.RadioSelect)
    score_threshold = Percent(
        0,
        100,
        label=_("Fixed threshold on the probability of being right, %"),
        help_text=_("Used only in that mode."),
    )
    incident_guard = forms.BooleanField(
        label=_("Hold bursts of alike tickets until one is reviewed"),
        required=False,
        help_text=_("Always done when certified by audits."),
    )
    why = _reason_field()

    def __init__(self, data: Mapping[str, Any] | None = None, **values: Any) -> None:
        current = Gate.current()
        initial = {name: getattr(current, name) for name in self.SAVED}
        self._mode = current.mode
        super().__init__(data, initial=initial | values, prefix="mode")

    @property
    def begins_certifying(self) -> bool:
        """Whether this turns on certified auto-accept, so that people review everything for a while.

        True also while the reason is missing.
        """
        return self.data.get("mode-mode") == GateMode.CERTIFIED != self._mode and set(self.errors) <= {"why"}

    def unanswered(self) -> "ModeForm":
        """The same choices in a fresh form, which shows no error about the missing reason."""
        return ModeForm(**{name: self.cleaned_data[name] for name in self.SAVED})

    def save(self, by: User) -> None:
        values = {name: self.cleaned_data[name] for name in self.SAVED}
        gate.change_settings(by=by, reason=self.cleaned_data["why"], **values)
