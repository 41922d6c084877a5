"""What a person works with on the review screen: how the desk is run, their keys, and the labels that are offered."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from django.contrib.auth.models import User

from .models import Desk, Preferences
from .options import Options

_DESK = """
SELECT d.*, p.changed_keys, p.keys_on FROM review_desk d
LEFT JOIN review_preferences p ON p.user_id = %s WHERE d.id = 1"""


class Workplace(NamedTuple):
    desk: Desk
    keys: dict[str, str]
    """The person's key of each action; none where single keys are turned off."""
    options: Options

    @classmethod
    def of(cls, reviewer: User) -> Workplace:
        """Two queries."""
        for desk in Desk.objects.raw(_DESK, [reviewer.pk]):
            return cls(desk, _preferences(desk, reviewer).active, Options.current())
        return cls(Desk.current(), Preferences.of(reviewer).active, Options.current())


def _preferences(row: Any, reviewer: User) -> Preferences:
    if row.keys_on is None:
        return Preferences(user=reviewer)
    # A column beside those of the model comes as the database has it: as text, where it knows no JSON.
    changed = json.loads(row.changed_keys) if isinstance(row.changed_keys, str) else row.changed_keys
    return Preferences(user=reviewer, changed_keys=changed, keys_on=row.keys_on)
