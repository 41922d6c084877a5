"""Jinja environment of the few templates rendered with every decision, where Django's engine would be too slow."""

from functools import lru_cache
from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import get_language, gettext
from jinja2 import Environment

from classifier import form_recovery
from classifier.contract.types import SEPARATOR
from classifier.templatetags.highlighting import marked


def environment(*, autoescape: bool, **options: Any) -> Environment:
    """The environment with our globals and filters; autoescape is always on."""
    jinja = Environment(autoescape=True, **options)
    jinja.globals |= {
        "_": _translated,
        "form_token_field": form_recovery.TOKEN_FIELD,
        "form_token": form_recovery.form_token,
        "url": _url,
    }
    jinja.filters |= {"ago": naturaltime, "marked": marked, "parted": _name_and_parents, "shortened": _shortened}
    return jinja


def _translated(message: str) -> str:
    return _gettext(get_language(), message)


@lru_cache(maxsize=1_024)
def _gettext(language: str | None, message: str) -> str:
    """Cached, because a card has some thirty messages."""
    return gettext(message)


def _url(name: str, *values: object) -> str:
    return reverse(name, args=values)


def _name_and_parents(path: str) -> tuple[str, str]:
    """The name of a category, and the path of its parents."""
    parents, _separator, name = path.rpartition(SEPARATOR)
    return name, parents


def _shortened(text: str, length: int) -> str:
    return Truncator(text).chars(length)
