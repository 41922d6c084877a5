"""Retires and restores attributes."""

from django.db import transaction

from classifier.models import Attribute


@transaction.atomic
def set_retired(attribute: Attribute, *, retired: bool) -> bool:
    """Stop or resume offering the attribute; its answers stay. Returns whether that changed anything."""
    attribute = Attribute.objects.select_for_update().get(pk=attribute.pk)
    if attribute.retired == retired:
        return False
    attribute.retired = retired
    attribute.save(update_fields=["retired"])
    return True
