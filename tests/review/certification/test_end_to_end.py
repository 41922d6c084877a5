"""Certified auto-accept from end to end: imported tickets, a model behind an endpoint, and people at the review screen.

The model is always right about ordinary tickets, and always wrong about a blackout that begins later.
"""

import json
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from classifier.embeddings import vector_store
from classifier.embeddings.sources import encoder_sources
from classifier.models import AuditDraw, Reason, Ticket, Vector, Verdict
from classifier.models.specialist import text_digest
from classifier.pipeline import runner
from review.certification import cycle
from review.models import Alarm, Assignment, Certificate
from tests.factories import make_user
from tests.review.certification.auditing import certify
from tests.review.screen_client import SCREEN, category, fields, send
from tests.servers import OpenAIServer, Request, answer

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

ORDINARY, BLACKOUT = "Billing", "Technical"
LIKE_BILLING = "I was charged twice for my invoice."


class Office:
    """An installation with two reviewers who always tell the truth."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._people = [Client(), Client()]
        for number, client in enumerate(self._people):
            client.force_login(make_user(f"reviewer {number}", "Agent"))

    def receive(self, subject: str, number: int, *, likeness: float = 0.0) -> list[Ticket]:
        """Import and classify tickets. The more their `likeness`, the closer they are to each other and to billing."""
        texts = [f"Please look at {subject} {place}." for place in range(number)]
        encoder = encoder_sources()[0].name
        base = vector_store.embeddings_for([LIKE_BILLING]).by_encoder[encoder][0]
        for text in texts:
            own = np.random.default_rng(crc32(text.encode())).standard_normal(len(base))
            vector = likeness * base + (1 - likeness) * own / np.linalg.norm(own)
            values = (vector / np.linalg.norm(vector)).astype(np.float16).tobytes()
            Vector.objects.create(digest=text_digest(text), encoder=encoder, values=values)
        file = self._folder / "tickets.jsonl"
        file.write_text("".join(json.dumps({"text": text, "external_id": text}) + "\n" for text in texts))
        call_command("import_tickets", file, source="office")
        self.settle()
        return list(Ticket.objects.filter(text__in=texts).order_by("pk"))

    def settle(self) -> None:
        """Let workers catch up."""
        while runner.classify_next_batch():
            pass
        while cycle.run_certification():
            runner.classify_next_batch()

    def review_audits(self) -> None:
        """Have people answer at the review screen until no audit waits; others' double checks are audits as well."""
        audits = Assignment.objects.open().filter(purpose=Assignment.Purpose.AUDIT)
        while audits.exists():
            for client in self._people:
                content = client.get(SCREEN).content.decode()
                while '<form id="answer"' in content and audits.exists():
                    truth = category(BLACKOUT if "blackout" in content else ORDINARY)
                    content = send(client, fields(content), category=str(truth.pk), sentiment=self._negative)
        self.settle()

    @property
    def _negative(self) -> str:
        return str(Verdict.objects.values_list("prediction__sentiment", flat=True).first())


@pytest.fixture
def office(primary: Any, tmp_path: Path) -> Iterator[Office]:
    def reply(request: Request) -> Any:
        sure = "blackout" in request.ticket
        return answer(
            ORDINARY, "Negative", confidence=0.99 if sure else 0.5 + crc32(request.ticket.encode()) % 50 / 100
        )

    with OpenAIServer(reply) as server:
        primary(server)
        certify(early_share=0.5, late_share=0.5)
        yield Office(tmp_path)


def shares_shown(client: Client) -> str:
    page = client.get(reverse("review:certification")).content.decode()
    return " ".join(page.split())


def test_a_certificate_is_granted_guarded_in_an_incident_and_suspended_by_an_alarm(
    office: Office, lead_client: Client, tmp_path: Path
) -> None:
    office.receive("the grid, ticket", 100, likeness=0.3)
    office.receive("an invoice, ticket", 50, likeness=0.3)
    office.review_audits()
    certificate = Certificate.objects.get(ended_at=None)
    assert certificate.errors == 0
    passing = office.receive("a receipt, ticket", 30, likeness=0.3)
    assert Verdict.objects.filter(ticket__in=passing, auto_accepted=True).count() >= 10

    incident = office.receive("the blackout of today, ticket", 10, likeness=0.95)
    reasons = Verdict.objects.current().filter(ticket__in=incident).values_list("reason", flat=True)
    assert Counter(reasons) == {Reason.CONFIDENT: 2, Reason.INCIDENT: 8}
    office.review_audits()
    passed = Ticket.objects.in_state(Ticket.State.AUTO_ACCEPTED).filter(pk__in=[ticket.pk for ticket in incident])
    assert passed.count() <= 2
    assert not Alarm.objects.exists()
    assert Certificate.objects.filter(ended_at=None).exists(), "it covers no held ticket"

    office.receive("a blackout of its own kind, ticket", 30, likeness=0.5)
    office.review_audits()
    alarm = Alarm.objects.get()
    assert alarm.kind == Alarm.Kind.ERRORS
    assert "Suspended" in shares_shown(lead_client)
    late = office.receive("another blackout of its own kind, ticket", 5, likeness=0.5)
    assert not Verdict.objects.filter(ticket__in=late, auto_accepted=True).exists()

    evidence = tmp_path / "evidence.jsonl"
    evidence.write_bytes(lead_client.get(reverse("review:evidence")).getvalue())
    printed = StringIO()
    call_command("recount_certificates", str(evidence), stdout=printed)
    unaudited = AuditDraw.objects.evidence().filter(verdict__auto_accepted=True, audited=False).count()
    assert f"of {unaudited} tickets auto-accepted in its epoch without an audit" in printed.getvalue()
    assert "all in agreement with the evidence" in printed.getvalue()
