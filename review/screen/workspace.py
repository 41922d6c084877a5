"""Loads what every card needs: review settings, the person's shortcuts and the labels on offer."""

import json
from typing import Any, NamedTuple

from django.contrib.auth.models import User

from classifier.database.sql import columns, fetch_objects
from classifier.models import Gate
from review.models import Preferences, ReviewSettings
from review.screen.label_options import Options

_SETTINGS_AND_SHORTCUTS = """
SELECT {columns}, p.changed_keys, p.keys_on,
    (SELECT g.further_categories FROM classifier_gate g WHERE g.id = 1)
FROM review_reviewsettings d
LEFT JOIN review_preferences p ON p.user_id = %s WHERE d.id = 1"""


class Workspace(NamedTuple):
    review_settings: ReviewSettings
    keys: dict[str, str]
    """The person's shortcut for each action; empty if shortcuts are off."""
    options: Options
    names_further: bool
    """Whether tickets may get further categories."""

    @classmethod
    def load(cls, reviewer: User) -> "Workspace":
        """Two queries."""
        sql = _SETTINGS_AND_SHORTCUTS.format(columns=columns(ReviewSettings, "d"))
        for review_settings, (changed_keys, keys_on, further) in fetch_objects(ReviewSettings, sql, [reviewer.pk]):
            keys = _preferences(reviewer, changed_keys, keys_on).active
            return cls(review_settings, keys, Options.current(), bool(further))
        further = Gate.objects.filter(further_categories=True).exists()
        return cls(ReviewSettings.current(), Preferences.for_user(reviewer).active, Options.current(), further)


def _preferences(reviewer: User, changed_keys: Any, keys_on: bool | None) -> Preferences:
    if keys_on is None:
        return Preferences(user=reviewer)
    # SQLite returns an annotated JSON column as text.
    changed = json.loads(changed_keys) if isinstance(changed_keys, str) else changed_keys
    return Preferences(user=reviewer, changed_keys=changed, keys_on=keys_on)
