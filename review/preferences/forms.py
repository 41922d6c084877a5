"""The form for keyboard shortcuts, and the actions' names."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from review.models import Preferences, shortcuts

_ACTS = {
    "skip": gettext_lazy("Skip"),
    "escalate": gettext_lazy("Escalate"),
    "note": gettext_lazy("Note"),
    "undo": gettext_lazy("Undo"),
    "find": gettext_lazy("Find a category"),
    "duplicates": gettext_lazy("Decide near-duplicates"),
    "words": gettext_lazy("Highlight words"),
    "guidelines": gettext_lazy("Category guidelines"),
    "help": gettext_lazy("Help"),
    "first": gettext_lazy("First of two answers"),
    "second": gettext_lazy("Second of two answers"),
}


def action_name(action: str) -> str:
    if action in shortcuts.FIXED:
        return _("Accept or save")
    if action in _ACTS:
        return str(_ACTS[action])
    kind, number = action.split("_")
    names = {"category": _("Category %s"), "sentiment": _("Sentiment %s"), "attribute": _("Attribute %s")}
    return names[kind] % number


class LanguageSelect(forms.Select):
    """Names each language in itself, and tells screen readers so."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        option["attrs"]["lang"] = value
        return option


class LanguageForm(forms.Form):
    """The language of the interface, which the browser stores."""

    language = forms.ChoiceField(
        label=gettext_lazy("Interface language in this browser"),
        choices=settings.LANGUAGES,
        widget=LanguageSelect,
    )


class KeysForm(forms.Form):
    """One field for each changeable shortcut; an empty one restores the default."""

    keys_on = forms.BooleanField(
        label=gettext_lazy("Keyboard shortcuts"),
        required=False,
        help_text=gettext_lazy("Turn them off if you use dictation or press keys by accident. Buttons keep working."),
    )

    def __init__(self, data: Any, preferences: Preferences) -> None:
        super().__init__(data, initial=preferences.keys | {"keys_on": preferences.keys_on})
        for action in shortcuts.DEFAULTS:
            if action not in shortcuts.FIXED:
                self.fields[action] = _key_field(action)

    def groups(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """The shortcut fields, grouped under headings."""
        yield _("Actions"), [self[name] for name in _ACTS]
        axes = {_("Sentiments"): "sentiment", _("Categories"): "category", _("Attributes"): "attribute"}
        for heading, begins in axes.items():
            yield heading, [self[name] for name in self.fields if name.startswith(begins)]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        wanted = {action: key for action, key in values.items() if action in shortcuts.DEFAULTS and key}
        for action, key in wanted.items():
            if not shortcuts.usable(key.lower()):
                self.add_error(action, _("Enter one letter, digit or symbol."))
        if not self.errors:
            self._check_clashes(wanted)
        return values

    def _check_clashes(self, wanted: dict[str, str]) -> None:
        try:
            self.changed_keys = shortcuts.checked(wanted)
        except shortcuts.Clash as clash:
            for action, other in (clash.actions, clash.actions[::-1]):
                values = {"key": clash.key, "other": action_name(other)}
                self.add_error(action, _("“%(key)s” is already used for “%(other)s”.") % values)

    def save(self, user: User) -> None:
        """Store the shortcuts that differ from the defaults."""
        values = {"changed_keys": self.changed_keys, "keys_on": self.cleaned_data["keys_on"]}
        Preferences.objects.update_or_create(user=user, defaults=values)


def _key_field(action: str) -> forms.CharField:
    typed = forms.TextInput(
        attrs={"class": "key", "autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}
    )
    return forms.CharField(label=action_name(action), required=False, max_length=1, strip=False, widget=typed)
