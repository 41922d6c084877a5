"""Admin forms that write only what a person changed, and refuse where someone else has changed it meanwhile.

Each field carries the value that the person saw in a hidden input, which is Django's `show_hidden_initial`. The row is
locked while a form is checked and saved, so workers and other admins wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db import connection
from django.forms.boundfield import BoundField
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _


class EditForm(forms.ModelForm):
    """Keeps fields that the person left alone as they are in the database. A form posted without the values that were
    seen counts as having seen the current ones.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        loaded = vars(self.instance)
        self._stored = {field.attname: loaded[field.attname] for field in self._columns() if field.attname in loaded}
        if self.instance.pk:
            self._show_what_was_seen()

    def _show_what_was_seen(self) -> None:
        states_it = not self.is_bound or any(name.startswith("initial-") for name in self.data)
        for field in self.fields.values():
            field.show_hidden_initial = states_it and not field.disabled
        if self.is_bound and states_it:
            sent = cast(QueryDict, self.data).copy()
            for name in self.fields:
                # Without a value under this very name, Django would show what was typed as what was seen.
                sent.setlistdefault(self.add_initial_prefix(name), [])
            self.data = sent

    def changed_columns(self) -> list[str]:
        """The names of the columns to write: their values differ from the stored ones."""
        values, stored = vars(self.instance), self._stored
        columns = [field for field in self._columns() if field.attname in stored]
        return [field.name for field in columns if values[field.attname] != stored[field.attname]]

    def save(self, commit: bool = True) -> Any:
        if not commit or self.instance._state.adding:
            return super().save(commit)
        self.instance.save(update_fields=self.changed_columns())
        self._save_m2m()
        return self.instance

    def _columns(self) -> list[Any]:
        return [field for field in self.instance._meta.concrete_fields if not field.primary_key]

    def _post_clean(self) -> None:
        for name in self.changed_data if self.instance.pk else []:
            self._refuse_conflict(name, self[name])
        with self._changed_values_only():
            super()._post_clean()  # type: ignore[misc]  # the stubs leave it out

    def _save_m2m(self) -> None:
        with self._changed_values_only():
            super()._save_m2m()  # type: ignore[misc]  # the stubs leave it out

    @contextmanager
    def _changed_values_only(self) -> Iterator[None]:
        """Hide unchanged values from what Django writes to the instance."""
        everything = self.cleaned_data
        if self.instance.pk:
            self.cleaned_data = {name: value for name, value in everything.items() if name in self.changed_data}
        try:
            yield
        finally:
            self.cleaned_data = everything

    def _refuse_conflict(self, name: str, bound: BoundField) -> None:
        """Add an error if the stored value is not the one that the person saw, and show the stored one as seen."""
        field = bound.field
        if not field.show_hidden_initial:
            return
        widget = field.hidden_widget()
        seen = widget.value_from_datadict(self.data, self.files, bound.html_initial_name)
        if isinstance(seen, str):
            # Browsers send line breaks as CRLF.
            seen = seen.replace("\r\n", "\n")
        if not field.has_changed(bound.initial, seen):
            return
        stored = widget.get_context(bound.html_initial_name, field.prepare_value(bound.initial), None)["widget"]
        sent, parts = cast(QueryDict, self.data).copy(), stored.get("subwidgets", [stored])
        sent.setlist(bound.html_initial_name, [])
        for part in parts:
            sent.setlist(part["name"], [])
        for part in parts:
            sent.appendlist(part["name"], "" if part["value"] is None else part["value"])
        self.data = sent
        message = _("Someone else changed this while you were editing. It is now: %s. Save again to replace it.")
        self.add_error(name, message % (_displayed(field, bound.initial) or _("empty")))


def _displayed(field: forms.Field, value: Any) -> str:
    """The value as a person reads it."""
    if isinstance(field, forms.ModelChoiceField | forms.ChoiceField):
        chosen = {str(key) for key in (value if isinstance(value, list | tuple) else [value])}
        return ", ".join(str(name) for key, name in _flat(field.choices) if str(key) in chosen)
    return str(field.prepare_value(value) if value is not None else "")


def _flat(choices: Any) -> Iterator[tuple[Any, Any]]:
    for key, name in choices:
        yield from _flat(name) if isinstance(name, list | tuple) else [(key, name)]


class EditAdmin(admin.ModelAdmin):
    """An admin whose forms are `EditForm`s."""

    form = EditForm

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not connection.in_atomic_block:
            return found
        # Read it again, for it may have changed before it was locked.
        self.model._default_manager.select_for_update().filter(pk=found.pk).values_list("pk").first()
        return super().get_object(request, object_id, from_field)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=form.changed_columns())
        else:
            super().save_model(request, obj, form, change)
