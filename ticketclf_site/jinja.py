"""The few templates that are rendered with every decision, by Jinja: there, Django's own take most of the time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import get_language, gettext
from jinja2 import Environment

from classifier import form_recovery
from classifier.models.taxonomy import SEPARATOR
from classifier.templatetags.highlighting import marked


def environment(*, autoescape: bool, **options: Any) -> Environment:
    """What those templates may use beside Jinja's own; they escape whatever they are told."""
    made = Environment(autoescape=True, **options)
    made.globals |= {
        "_": _translated,
        "form_token_field": form_recovery.TOKEN_FIELD,
        "form_token": form_recovery.form_token,
        "url": _url,
    }
    made.filters |= {"ago": naturaltime, "marked": marked, "parted": _parted, "shortened": _shortened}
    return made


def _translated(message: str) -> str:
    return _known(get_language(), message)


@lru_cache(maxsize=1_024)
def _known(language: str | None, message: str) -> str:
    """In the language that is active; looked up once, for a card has some thirty messages."""
    return gettext(message)


def _url(name: str, *values: object) -> str:
    return reverse(name, args=values)


def _parted(path: str) -> tuple[str, str]:
    """What a category itself is called, and its parents."""
    parents, _separator, name = path.rpartition(SEPARATOR)
    return name, parents


def _shortened(text: str, length: int) -> str:
    return Truncator(text).chars(length)
