"""The exported evidence is complete: every certificate can be recomputed from it."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from classifier.models import AuditDraw
from review.certification import cycle, evidence_export
from review.certification.recount import InvalidEvidence, recount
from review.models import Audit, Certificate, Decision, Ledger
from tests.review.certification.auditing import ENOUGH, SURE, UNSURE, arrive, audit, certify, make_grid, open_audits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


@pytest.fixture
def evidence(ana: User, ben: User) -> list[dict[str, Any]]:
    """Evidence with an error, an extended certificate and pending audits."""
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


def test_every_draw_is_exported_with_its_probability_and_findings(evidence: list[dict[str, Any]]) -> None:
    draws = of_kind(evidence, "draw")
    assert [draw["draw"] for draw in draws] == list(
        AuditDraw.objects.valid().order_by("pk").values_list("pk", flat=True)
    )
    assert all(draw["audited"] == (draw["number"] < draw["share"]) for draw in draws)
    assert sum(draw["audited"] for draw in draws) == Audit.objects.count()
    assert sum(draw["wrong"] is True for draw in draws) == 1
    assert sum(draw["audited"] and draw["wrong"] is None for draw in draws) == Audit.objects.pending().count()
    decisions = [decision for draw in draws for decision in draw["decisions"]]
    assert len(decisions) == Decision.objects.count()
    assert all(decision["blind"] for decision in decisions)


def test_an_open_audit_does_not_say_which_ticket_it_is_of(evidence: list[dict[str, Any]]) -> None:
    pending = [draw for draw in of_kind(evidence, "draw") if draw["audited"] and draw["judged_at"] is None]
    told = {json.dumps([draw["ticket"], draw["text_sha256"], draw["category"], draw["decisions"]]) for draw in pending}
    assert told == {"[null, null, null, []]"}


def test_the_evidence_contains_no_texts_or_names(evidence: list[dict[str, Any]], ana: User) -> None:
    written = json.dumps(evidence)
    assert "something about" not in written
    assert ana.username not in json.dumps([draw["decisions"] for draw in of_kind(evidence, "draw")])


def test_every_certificate_follows_from_the_evidence(evidence: list[dict[str, Any]]) -> None:
    recounted = list(recount(evidence))
    assert [certificate.certificate for certificate in recounted] == list(
        Certificate.objects.order_by("pk").values_list("pk", flat=True)
    )
    assert all(certificate.agrees for certificate in recounted)


def test_a_changed_finding_is_detected(evidence: list[dict[str, Any]]) -> None:
    for line in of_kind(evidence, "draw")[:12]:
        line["wrong"] = True
    recounted = list(recount(evidence))
    assert not recounted[0].agrees
    assert not recounted[0].holds


def test_later_draws_do_not_count_for_a_certificate(evidence: list[dict[str, Any]]) -> None:
    certificate = of_kind(evidence, "certificate")[0]
    certificate["until"] = of_kind(evidence, "draw")[3]["draw"]
    assert not next(recount(evidence)).holds


def test_recount_certificates_reads_the_file_of_export_evidence(evidence: list[dict[str, Any]], tmp_path: Path) -> None:
    out = StringIO()
    call_command("export_evidence", tmp_path / "evidence.jsonl", stdout=out)
    assert "1 ledger" in out.getvalue()
    call_command("recount_certificates", str(tmp_path / "evidence.jsonl"), stdout=out)
    call_command("recount_certificates", stdout=out)
    assert out.getvalue().count("all in agreement with the evidence") == 2


def test_recount_certificates_fails_if_a_certificate_differs_from_the_evidence(evidence: list[dict[str, Any]]) -> None:
    Certificate.objects.update(errors=7)
    with pytest.raises(CommandError, match="differ from the evidence"):
        call_command("recount_certificates", stdout=StringIO())


def test_the_seed_is_committed_to_at_once_and_revealed_when_its_epoch_has_ended(evidence: list[dict[str, Any]]) -> None:
    (terms,) = of_kind(evidence, "ledger")
    epoch = Ledger.objects.get().epoch
    assert terms["seed"] is None
    assert epoch.seed not in json.dumps(evidence)
    type(epoch).objects.update(ended_at=timezone.now())
    (revealed,) = of_kind(list(evidence_export.evidence_lines(Ledger.objects.all())), "ledger")
    assert revealed["seed"] == epoch.seed
    assert revealed["seed_sha256"] == terms["seed_sha256"]


def test_draws_are_checked_against_the_seed_once_it_is_known(evidence: list[dict[str, Any]]) -> None:
    terms, seed = of_kind(evidence, "ledger")[0], Ledger.objects.get().epoch.seed
    terms["seed"] = seed
    assert all(certificate.agrees for certificate in recount(evidence))
    for draw in of_kind(evidence, "draw"):
        draw["number"] = 0.5 * draw["share"] if draw["audited"] else 0.99
    with pytest.raises(InvalidEvidence, match="another number than its seed gives"):
        list(recount(evidence))
    terms["seed"] = "another"
    with pytest.raises(InvalidEvidence, match="committed to"):
        list(recount(evidence))


def test_an_audit_against_its_number_is_detected(evidence: list[dict[str, Any]]) -> None:
    draw = of_kind(evidence, "draw")[0]
    draw["audited"] = not draw["audited"]
    with pytest.raises(InvalidEvidence, match="against its number"):
        list(recount(evidence))


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"kind": "draw", "ledger": 5}', '{"kind": "odd", "ledger": 1}'])
def test_an_invalid_file_is_rejected_with_its_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "evidence.jsonl"
    file.write_text('{"kind": "ledger", "ledger": 1, "seed": null}\n' + line)
    with pytest.raises(CommandError, match="Line 2"):
        call_command("recount_certificates", str(file), stdout=StringIO())


def test_a_line_before_its_ledger_is_rejected() -> None:
    with pytest.raises(InvalidEvidence, match="Line 1"):
        list(recount([{"kind": "carried", "ledger": 3}]))
