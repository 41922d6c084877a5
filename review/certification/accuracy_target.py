"""Set the accuracy target."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction

from review.models import AccuracyTarget


@transaction.atomic(durable=True)
def set_accuracy_target(terms: Mapping[str, Any], *, by: User, reason: str) -> None:
    """Save these fields of the accuracy target, recording who changed them and why.

    Raises ValidationError if a value is out of range.
    """
    AccuracyTarget.current()
    accuracy_target = AccuracyTarget.objects.select_for_update().get(pk=1)
    for name, value in terms.items():
        setattr(accuracy_target, name, value)
    accuracy_target.clean_fields()
    historic = cast(Any, accuracy_target)
    historic._history_user, historic._change_reason = by, reason[:100]
    accuracy_target.save(update_fields=list(terms))
