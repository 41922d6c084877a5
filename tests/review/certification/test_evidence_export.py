"""The evidence goes out whole, and every certificate can be computed from it anew."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from classifier.models import AuditDraw
from review.certification import cycle, evidence_export
from review.certification.recount import InvalidEvidence, recount
from review.models import Audit, Certificate, Decision, Ledger
from tests.review.certification.auditing import ENOUGH, SURE, UNSURE, arrive, audit, certify, make_grid, open_audits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


@pytest.fixture
def evidence(ana: User, ben: User) -> list[dict[str, Any]]:
    """Of a certificate that one error and one more step have been through, with audits that still wait."""
    certify()
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * (ENOUGH + 15), *[UNSURE] * 10)), wrong=1)
    audit(ben, open_audits(), wrong=1)
    cycle.run_certification()
    audit(ana, open_audits(arrive(*[SURE] * 40)))
    cycle.run_certification()
    arrive(*[SURE] * 20)
    assert Certificate.objects.exists()
    return list(evidence_export.evidence_lines(Ledger.objects.all()))


def of_kind(evidence: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in evidence if line["kind"] == kind]


def test_every_draw_is_there_with_its_probability_and_what_was_found(evidence: list[dict[str, Any]]) -> None:
    draws = of_kind(evidence, "draw")
    assert [one["draw"] for one in draws] == list(AuditDraw.objects.valid().order_by("pk").values_list("pk", flat=True))
    assert all(one["audited"] == (one["number"] < one["share"]) for one in draws)
    assert sum(one["audited"] for one in draws) == Audit.objects.count()
    assert sum(one["wrong"] is True for one in draws) == 1
    assert sum(one["audited"] and one["wrong"] is None for one in draws) == Audit.objects.pending().count()
    said = [decision for one in draws for decision in one["decisions"]]
    assert len(said) == Decision.objects.count()
    assert all(decision["blind"] for decision in said)


def test_it_holds_no_text_and_no_name(evidence: list[dict[str, Any]], ana: User) -> None:
    written = json.dumps(evidence)
    assert "something about" not in written
    assert ana.username not in json.dumps([one["decisions"] for one in of_kind(evidence, "draw")])


def test_every_certificate_follows_from_the_evidence(evidence: list[dict[str, Any]]) -> None:
    found = list(recount(evidence))
    assert [one.certificate for one in found] == list(Certificate.objects.order_by("pk").values_list("pk", flat=True))
    assert all(one.agrees for one in found)


def test_a_finding_that_is_changed_in_the_file_is_noticed(evidence: list[dict[str, Any]]) -> None:
    for line in of_kind(evidence, "draw")[:12]:
        line["wrong"] = True
    found = list(recount(evidence))
    assert not found[0].agrees
    assert not found[0].holds


def test_what_was_drawn_later_does_not_speak_for_a_certificate(evidence: list[dict[str, Any]]) -> None:
    certificate = of_kind(evidence, "certificate")[0]
    certificate["until"] = of_kind(evidence, "draw")[3]["draw"]
    assert not next(recount(evidence)).holds


def test_the_command_writes_a_file_that_the_other_reads(evidence: list[dict[str, Any]], tmp_path: Path) -> None:
    out = StringIO()
    call_command("export_evidence", tmp_path / "evidence.jsonl", stdout=out)
    assert "1 ledger" in out.getvalue()
    call_command("recount_certificates", str(tmp_path / "evidence.jsonl"), stdout=out)
    call_command("recount_certificates", stdout=out)
    assert out.getvalue().count("all in agreement with the evidence") == 2


def test_a_certificate_that_does_not_follow_fails_the_command(evidence: list[dict[str, Any]]) -> None:
    Certificate.objects.update(errors=7)
    with pytest.raises(CommandError, match="differ from the evidence"):
        call_command("recount_certificates", stdout=StringIO())


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"kind": "draw", "ledger": 5}', '{"kind": "odd", "ledger": 1}'])
def test_a_file_that_is_no_evidence_is_refused_with_the_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "evidence.jsonl"
    file.write_text('{"kind": "ledger", "ledger": 1}\n' + line)
    with pytest.raises(CommandError, match="Line 2"):
        call_command("recount_certificates", str(file), stdout=StringIO())


def test_a_line_before_its_ledger_is_refused() -> None:
    with pytest.raises(InvalidEvidence, match="Line 1"):
        list(recount([{"kind": "carried", "ledger": 3}]))
