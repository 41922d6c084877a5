"""Adds the gate and its active model to every page."""

from functools import cache
from typing import Any

from django.http import HttpRequest

from classifier.models import Gate


def gate(request: HttpRequest) -> dict[str, Any]:
    """Lazy: one query (two while the embedded model stands in), none if the template uses neither value."""
    # A request refused by an early middleware has no user yet.
    user = getattr(request, "user", None)
    if not user or not user.is_authenticated:
        return {}
    current = cache(Gate.objects.with_models().first)
    return {"gate": current, "active_primary": cache(lambda: (gate := current()) and gate.active_primary())}
