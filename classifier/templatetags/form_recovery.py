from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from classifier import form_recovery

register = template.Library()


@register.simple_tag(takes_context=True)
def form_token(context: dict[str, Any]) -> SafeString:
    """Goes next to `csrf_token` in the form of a `recoverable` view."""
    return format_html(
        '<input type="hidden" name="{}" value="{}">',
        form_recovery.TOKEN_FIELD,
        form_recovery.form_token(context["request"].user),
    )
