"""What every page says of the gate: which model labels, and which key is missing for the one that was chosen."""

from functools import cache
from typing import Any

from django.http import HttpRequest

from classifier.models import Gate


def gate(request: HttpRequest) -> dict[str, Any]:
    """One query, two while the embedded model stands in; none where a template does not ask (fragments of a page)."""
    # Of a request that is refused at the door nobody has asked yet who sends it.
    user = getattr(request, "user", None)
    if not user or not user.is_authenticated:
        return {}
    current = cache(Gate.objects.with_models().first)
    return {"gate": current, "model_in_charge": cache(lambda: (gate := current()) and gate.active_primary())}
