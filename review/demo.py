"""The demo: sample users and tickets, classified at once."""

import json
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

import classifier
from classifier.ingest import storing
from classifier.management.label_line import label_line
from classifier.models import Ticket
from classifier.models.verdict import current_verdict, with_current_verdicts
from classifier.pipeline import runner

INBOX = Path(classifier.__file__).parent / "data" / "inbox.jsonl"
SOURCE = "demo"


def create_users() -> dict[str, str]:
    """Create an admin, a lead and two agents with random passwords; returns the passwords of new users by name."""
    passwords = {}
    for name, role in (("admin", "Admin"), ("lead", "Lead"), ("agent", "Agent"), ("agent2", "Agent")):
        if User.objects.filter(username=name).exists():
            continue
        passwords[name] = secrets.token_urlsafe(12)
        staff = role == "Admin"
        user = User.objects.create_user(name, password=passwords[name], is_staff=staff, is_superuser=staff)
        user.groups.add(Group.objects.get(name=role))
    return passwords


def fill_inbox() -> None:
    """Store the demo tickets once each, with times of arrival over the last days."""
    now = timezone.now()
    texts = INBOX.read_text(encoding="utf-8").split("\n")
    storing.store([_ticket_fields(json.loads(text), now) for text in texts if text])


def _ticket_fields(ticket: dict[str, Any], now: Any) -> dict[str, Any]:
    minutes_ago, due = ticket.pop("minutes_ago"), ticket.pop("due_in_minutes")
    return ticket | {
        "source": SOURCE,
        "received_at": now - timedelta(minutes=minutes_ago),
        "due_at": now + timedelta(minutes=due) if due is not None else None,
    }


def classify_inbox() -> None:
    """Classify all waiting tickets in this process."""
    while runner.classify_next_batch():
        pass


def summary_lines() -> Iterator[str]:
    """One line per demo ticket, with its current label, in order of arrival."""
    for ticket in with_current_verdicts(Ticket.objects.filter(source=SOURCE)).order_by("pk"):
        verdict = current_verdict(ticket)
        prediction = verdict and verdict.prediction
        category, sentiment = (str(prediction.category), prediction.sentiment.name) if prediction else ("?", "?")
        yield label_line(ticket.state == Ticket.State.AUTO_ACCEPTED, category, sentiment, ticket.text)
