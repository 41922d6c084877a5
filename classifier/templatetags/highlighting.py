"""Highlights words in untrusted text."""

from collections.abc import Iterable

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from classifier.tickets.highlighting import Piece, split_at_spans

register = template.Library()


@register.filter
def marked(text: str, spans: Iterable[object]) -> SafeString:
    """Escape the text and mark the spans."""
    return format_html_join("", "{}", ((_element(piece),) for piece in split_at_spans(text, spans)))


def _element(piece: Piece) -> str:
    return format_html("<mark>{}</mark>", piece.text) if piece.marked else piece.text
