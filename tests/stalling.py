"""As if a holder had stalled for longer than its lease lasts, and another had gone on in its place."""

from typing import Any

from django.db.models.functions import Now

from classifier.leases import leases


def overtake(model: Any) -> Any:
    """The one row of this table in the hands of a successor."""
    model.objects.update(available_at=Now())
    (row,) = leases.acquire(model.objects.all())
    return row


def is_untouched(row: Any) -> bool:
    """Whether the successor's lease stands as it was taken."""
    stored = type(row).objects.get(pk=row.pk)
    return bool((stored.owner, stored.available_at) == (row.owner, row.available_at))
