"""The languages of the interface: English, and each that has a compiled catalogue."""

from pathlib import Path

from django.conf.locale import LANG_INFO
from django.utils.translation import to_language


def interface_languages(locale: Path) -> list[tuple[str, str]]:
    """Codes and names in the languages themselves, English first."""
    translated = (to_language(catalogue.parts[-3]) for catalogue in locale.glob("*/LC_MESSAGES/django.mo"))
    return [(code, _own_name(code)) for code in ("en", *sorted(translated))]


def _own_name(code: str) -> str:
    name: str = LANG_INFO[code]["name_local"]
    return name[0].upper() + name[1:]
