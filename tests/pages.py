"""Reads the forms of pages as a browser would send them."""

from typing import Any

from django.http import QueryDict
from lxml import html


def form_values(content: str, form_id: str) -> QueryDict:
    """What the form with this id sends when nothing is changed, without its buttons."""
    values = QueryDict(mutable=True)
    form: Any = html.fromstring(content).get_element_by_id(form_id)
    for name, value in form.form_values():
        values.appendlist(name, value)
    return values
