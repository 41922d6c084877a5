"""The page of certified auto-accept: what it shows at each stage, what leads can do there, and who has access."""

import html
import json
import re
from itertools import product

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.models import Gate, GateMode, Ticket
from review.certification import bounds, certificates, cycle
from review.certification.recount import draw_row, recount
from review.certification.sequential_test import DrawBatch
from review.models import AccuracyTarget, Alarm, Certificate
from tests.review.certification.auditing import ENOUGH, SURE, arrive, certify
from tests.review.certification.scenes import alarmed, audited, begun, certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]

PAGE, STATE, MODE = (reverse(f"review:{name}") for name in ("certification", "set_accuracy_target", "set_gate_mode"))
TARGET = {
    "accuracy_target-target": "98",
    "accuracy_target-risk": "5",
    "accuracy_target-early_share": "30",
    "accuracy_target-late_share": "5",
    "accuracy_target-double_check_share": "10",
    "accuracy_target-missed_share": "10",
    "accuracy_target-why": "The new contract.",
}
CERTIFIED = {"mode-mode": "certified", "mode-about": "both", "mode-score_threshold": "95"}


def plain(content: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", content).split()))


def words(client: Client, url: str = PAGE, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    return plain(response.content.decode().split("<main")[-1])


def act(alarm: Alarm, name: str) -> str:
    return reverse(f"review:{name}", args=[alarm.pk])


class TestStages:
    def test_a_fixed_threshold_certifies_nothing(self, lead_client: Client) -> None:
        shown = words(lead_client)
        assert "tickets are auto-accepted from 85% confidence. No accuracy is certified." in shown
        assert "Turn on certified auto-accept" in shown

    def test_a_fixed_score_threshold_certifies_nothing(self, lead_client: Client) -> None:
        Gate.objects.update(mode=GateMode.SCORE, score_threshold=0.9)
        assert "tickets are auto-accepted from a score of 0.90. No accuracy is certified." in words(lead_client)

    def test_certification_waits_for_a_hundred_tickets(self, lead_client: Client) -> None:
        certify()
        assert "Certification starts after 100 more tickets." in words(lead_client)

    def test_the_page_counts_down_the_tickets_that_are_missing(self, lead_client: Client) -> None:
        certify()
        arrive(*[SURE] * 40)
        assert "Certification starts after 60 more tickets." in words(lead_client)

    def test_the_page_counts_down_the_clean_audits_that_are_missing(self, lead_client: Client, ana: User) -> None:
        begun(target=0.97)
        before = words(lead_client)
        audited(ana, 20)
        after = words(lead_client)
        pattern = r"Not certified yet: about (\d+) more audits without an error"
        needed = [int(re.findall(pattern, content)[0]) for content in (before, after)]
        assert needed[0] - needed[1] == 20

    def test_pending_audits_are_shown_and_do_not_change_the_outlook(self, lead_client: Client) -> None:
        begun(target=0.97)
        before = words(lead_client)
        arrive(*[SURE] * 30)
        after = words(lead_client)
        assert "30 audits are waiting for a reviewer." in after
        assert before.split("Not certified yet")[1][:40] == after.split("Not certified yet")[1][:40]

    def test_a_certificate_is_summarised_in_one_sentence(self, lead_client: Client, ana: User) -> None:
        certified(ana)
        shown = words(lead_client)
        assert "at least 80% of auto-accepted tickets are right. The risk that this, or anything else that" in shown
        assert "Based on 20 blind audits, errors: 0." in shown

    def test_auto_accepted_tickets_are_counted_since_the_certificate(self, lead_client: Client, ana: User) -> None:
        certified(ana)
        unaudited = len(passing(100))
        assert f"Auto-accepted {unaudited}.0%" in words(lead_client)
        assert f"Reviewed by people {100 - unaudited}.0%" in words(lead_client)

    def test_an_alarm_suspends_the_certificate(self, lead_client: Client, ana: User) -> None:
        certified(ana)
        unaudited = len(passing(50))
        alarmed(figures={"audits": 40, "errors": 1})
        shown = words(lead_client)
        assert "Suspended: something may have changed (second model family agrees less often)." in shown
        assert "40 audits answered, errors: 1." in shown
        assert f"{unaudited} tickets have been auto-accepted since then without a review." in shown

    def test_a_confirmed_alarm_revokes_the_certificate(self, lead_client: Client, ana: User) -> None:
        certificate = certified(ana)
        passing(20)
        alarmed(state="confirmed", closed_at=certificate.granted_at)
        certificates.end_certificate(certificate, Certificate.End.ALARM)
        shown = words(lead_client)
        assert "Revoked: audits found that the accuracy target is no longer met." in shown
        assert "Change confirmed" in shown


class TestFigures:
    def test_the_estimated_error_is_shown_with_its_interval(self, lead_client: Client, ana: User, ben: User) -> None:
        begun(target=0.97)
        audited(ana, 40, wrong=2, by=ben)
        shown = words(lead_client)
        assert "Estimated error at the next threshold 5.0% (1.4 to 16.5)" in shown
        assert "Category 95.0% (83.5 to 98.6) Sentiment 100.0%" in shown
        assert "Estimated from 40 audits" in shown

    def test_certificates_and_alarms_are_listed_newest_first_page_by_page(self, lead_client: Client, ana: User) -> None:
        certificate = certified(ana)
        passing(20)
        for number in range(25):
            alarmed(state="cleared", closed_at=certificate.granted_at, figures={"audits": 100 + number, "errors": 0})
        first = words(lead_client)
        assert first.index(" 124 0 Cleared by audits") < first.index(" 105 0 Cleared by audits")
        assert " 104 0 " not in first
        oldest = Alarm.objects.order_by("-pk")[19].pk
        assert " 104 0 " in words(lead_client, f"{PAGE}?alarms_before={oldest}")
        assert f"in force 80% {certificate.threshold:.3f} {100 * certificate.coverage:.0f}% {ENOUGH} 0 –" in first

    def test_invalid_query_values_are_ignored(self, lead_client: Client) -> None:
        begun()
        for name, value in product(["before", "alarms_before"], ["", "x", "-1", "9" * 30, "nan", "inf"]):
            asked = {name: value}
            assert lead_client.get(PAGE, asked).status_code == 200, asked

    def test_the_page_takes_the_same_number_of_queries_whatever_its_content(
        self, lead_client: Client, ana: User
    ) -> None:
        def asked() -> int:
            with CaptureQueriesContext(connection) as captured:
                words(lead_client)
            return len(captured)

        certified(ana, by_category=True)
        audited(ana, 10)
        alarmed(state="cleared", closed_at=Certificate.objects.latest("pk").granted_at)
        before = asked()
        Alarm.objects.all().delete()
        cycle.run_certification()
        arrive(*[SURE] * 60)
        alarmed(state="cleared", closed_at=Certificate.objects.latest("pk").granted_at)
        assert asked() == before < 40


class TestAccuracyTarget:
    def test_the_history_records_who_changed_the_target_and_why(self, lead_client: Client, lea: User) -> None:
        assert lead_client.post(STATE, TARGET)["Location"] == PAGE
        accuracy_target = AccuracyTarget.current()
        assert (accuracy_target.target, accuracy_target.risk, accuracy_target.by_category) == (0.98, 0.05, False)
        entry = accuracy_target.history.first()
        assert (entry.history_user, entry.history_change_reason) == (lea, "The new contract.")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"accuracy_target-target": "100"},
            {"accuracy_target-risk": "0"},
            {"accuracy_target-late_share": "1"},
            {"accuracy_target-why": ""},
        ],
    )
    def test_an_invalid_target_is_rejected_and_not_saved(self, lead_client: Client, wrong: dict[str, str]) -> None:
        response = lead_client.post(STATE, TARGET | wrong)
        assert response.status_code == 422
        assert "Not saved. See below." in response.content.decode()
        assert AccuracyTarget.current().target == 0.97

    def test_a_new_target_ends_the_certificate(self, lead_client: Client, ana: User) -> None:
        certified(ana)
        lead_client.post(STATE, TARGET)
        cycle.run_certification()
        assert Certificate.objects.get().ended_by == "changed"
        assert "Not certified yet" in words(lead_client)

    def test_turning_on_certification_takes_a_confirmation_and_a_reason(self, lead_client: Client, lea: User) -> None:
        asked = lead_client.post(MODE, CERTIFIED)
        assert asked.status_code == 200
        assert "Until the first certificate, people review every ticket" in asked.content.decode()
        assert "aria-invalid" not in asked.content.decode()
        assert Gate.current().mode == GateMode.CONFIDENCE
        refused = lead_client.post(MODE, CERTIFIED | {"confirmed": "yes"})
        assert refused.status_code == 422
        assert "aria-invalid" in refused.content.decode()
        assert lead_client.post(MODE, CERTIFIED | {"confirmed": "yes", "mode-why": "To be sure."})["Location"] == PAGE
        gate = Gate.current()
        assert gate.mode == GateMode.CERTIFIED
        entry = gate.history.first()
        assert (entry.history_user, entry.history_change_reason) == (lea, "To be sure.")

    def test_a_fixed_score_threshold_is_saved_without_confirmation(self, lead_client: Client) -> None:
        values = {"mode-mode": "score", "mode-about": "category", "mode-score_threshold": "90", "mode-why": "Trial."}
        assert lead_client.post(MODE, values)["Location"] == PAGE
        gate = Gate.current()
        assert (gate.mode, gate.about, gate.score_threshold) == ("score", "category", 0.9)

    def test_an_unknown_mode_is_rejected(self, lead_client: Client) -> None:
        assert lead_client.post(MODE, {"mode-mode": "luck"}).status_code == 422


class TestAlarms:
    def test_tickets_are_sent_to_review_after_a_confirmation(self, lead_client: Client, ana: User) -> None:
        certified(ana)
        unaudited = passing(40)
        url = act(alarmed(), "reopen_tickets")
        assert f"Send {len(unaudited)} tickets to review?" in lead_client.post(url).content.decode()
        assert Ticket.objects.in_state("auto_accepted").filter(
            pk__in=[ticket.pk for ticket in unaudited]
        ).count() == len(unaudited)
        lead_client.post(url, {"confirmed": "yes"})
        assert Ticket.objects.in_state("needs_review").filter(
            pk__in=[ticket.pk for ticket in unaudited]
        ).count() == len(unaudited)
        assert "No auto-accepted ticket since then is left" in lead_client.post(url).content.decode()

    def test_a_confirmed_alarm_disappears_once_acknowledged(self, lead_client: Client, lea: User, ana: User) -> None:
        certificate = certified(ana)
        passing(10)
        alarm = alarmed(state="confirmed", closed_at=certificate.granted_at)
        assert "Acknowledge" in words(lead_client)
        assert lead_client.post(act(alarm, "acknowledge_alarm"))["Location"] == PAGE
        assert "Acknowledge" not in words(lead_client)
        alarm.refresh_from_db()
        assert alarm.seen_by == lea


class TestAccess:
    def test_strangers_and_agents_are_refused(self, client: Client, ana: User, tom: User) -> None:
        certified(ana)
        passing(5)
        alarm = alarmed()
        posts = [STATE, MODE, act(alarm, "reopen_tickets"), act(alarm, "acknowledge_alarm")]
        for person in (ana, tom):
            client.force_login(person)
            assert client.get(PAGE).status_code == 403
            assert client.get(PAGE, headers={"hx-request": "true"}).status_code == 403
            assert [client.post(url).status_code for url in posts] == [403] * 4

    def test_reading_changes_nothing_and_the_page_takes_no_post(self, lead_client: Client, ana: User) -> None:
        certified(ana)
        passing(5)
        alarm = alarmed()
        gets = [STATE, MODE, act(alarm, "reopen_tickets"), act(alarm, "acknowledge_alarm")]
        assert [lead_client.get(url).status_code for url in gets] == [405] * 4
        assert lead_client.post(PAGE).status_code == 405

    def test_the_navigation_links_the_page_for_leads_only(self, lead_client: Client, client: Client, ana: User) -> None:
        link = f'href="{PAGE}"'
        assert link in lead_client.get("/").content.decode()
        client.force_login(ana)
        assert link not in client.get("/").content.decode()

    def test_without_a_gate_the_page_redirects_to_the_models(self, lead_client: Client) -> None:
        Gate.objects.all().delete()
        assert lead_client.get(PAGE)["Location"] == reverse("classifier:models")


class TestEvidence:
    def test_the_numbers_on_the_page_are_those_of_the_exported_evidence(
        self, lead_client: Client, ana: User, ben: User
    ) -> None:
        certified(ana)
        audited(ana, 30, wrong=2, by=ben)
        cycle.run_certification()
        written = lead_client.get(reverse("review:evidence")).getvalue().decode()
        lines = [json.loads(line) for line in written.splitlines()]
        granted = [line for line in lines if line["kind"] == "certificate"][-1]
        recounted = next(
            certificate for certificate in recount(lines) if certificate.certificate == granted["certificate"]
        )
        assert recounted.agrees
        shown = words(lead_client)
        assert f"Based on {recounted.counted_audits} blind audits" in shown
        answered = [
            line for line in lines if line["kind"] == "draw" and not (line["audited"] and line["wrong"] is None)
        ]
        batch = DrawBatch.from_rows([draw_row(line) for line in answered])
        wrong = bounds.estimated_error(batch, granted["threshold"])
        assert wrong.estimate is not None
        assert f"{100 * wrong.estimate:.1f}%" in shown

    def test_an_agent_gets_no_evidence(self, client: Client, ana: User) -> None:
        client.force_login(ana)
        assert client.get(reverse("review:evidence")).status_code == 403
