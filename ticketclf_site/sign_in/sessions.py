"""Where sessions are: in the database, as Django keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from review.workflow.prepared import Prepared


class SessionStore(db.SessionStore):
    """Every request begins with reading one, and would wait until the ORM has written the query."""

    def load(self) -> dict[str, Any]:
        for session in _VALID(key=self.session_key, now=timezone.now()):
            return self.decode(session.session_data)
        return super().load()


_VALID = Prepared(lambda key, now: Session.objects.filter(session_key=key, expire_date__gt=now), key=str, now=datetime)
