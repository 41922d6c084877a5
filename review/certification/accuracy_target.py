"""Set the accuracy target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction

from review.models import AccuracyTarget


@transaction.atomic(durable=True)
def set_accuracy_target(terms: Mapping[str, Any], *, by: User, reason: str) -> None:
    """These values of the promise hold from now on; who changed them and why stands in its history.

    Raises ValidationError where one of them cannot be promised.
    """
    AccuracyTarget.current()
    accuracy_target = AccuracyTarget.objects.select_for_update().get(pk=1)
    for name, value in terms.items():
        setattr(accuracy_target, name, value)
    accuracy_target.clean_fields()
    historic = cast(Any, accuracy_target)
    historic._history_user, historic._change_reason = by, reason[:100]
    accuracy_target.save(update_fields=list(terms))
