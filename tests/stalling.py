"""Simulate a holder that stalls for longer than its lease, so that a successor takes over."""

from typing import Any

from django.db.models.functions import Now

from classifier.leases import leases


def overtake(model: Any) -> Any:
    """Have a successor lease the only row of the table, and return it."""
    model.objects.update(available_at=Now())
    (row,) = leases.acquire(model.objects.all())
    return row


def is_untouched(row: Any) -> bool:
    """Whether the successor's lease is unchanged."""
    stored = type(row).objects.get(pk=row.pk)
    return bool((stored.owner, stored.available_at) == (row.owner, row.available_at))
