"""The few templates that are rendered with every decision, by Jinja: there, Django's own take most of the time."""

from __future__ import annotations

from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext
from jinja2 import Environment

from classifier import kept
from classifier.templatetags.marks import marked


def environment(*, autoescape: bool, **options: Any) -> Environment:
    """What those templates may use beside Jinja's own; they escape whatever they are told."""
    made = Environment(autoescape=True, **options)
    made.globals |= {"_": _translated, "kept_field": kept.TOKEN, "kept_token": kept.token, "url": _url}
    made.filters |= {"ago": naturaltime, "marked": marked, "shortened": _shortened}
    return made


def _translated(message: str, **values: object) -> str:
    return gettext(message) % values


def _url(name: str, *values: object) -> str:
    return reverse(name, args=values)


def _shortened(text: str, length: int) -> str:
    return Truncator(text).chars(length)
