"""The admin shows the records of certification read-only; only the accuracy target can be changed there."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import AuditDraw, Scorer
from review.models import AccuracyTarget, Alarm, Audit, Certificate, Ledger
from tests.review.certification.scenes import alarmed, certified, passing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]

RECORDS = [AuditDraw, Scorer, Alarm, Audit, Certificate, Ledger]


@pytest.fixture
def admin_client(client: Client, admin: User, ana: User) -> Client:
    certified(ana)
    passing(5)
    alarmed()
    client.force_login(admin)
    return client


def test_certification_records_are_read_only(admin_client: Client) -> None:
    for model in RECORDS:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        # The latest draws are of tickets that are still sealed, which the admin leaves out.
        row = model._default_manager.order_by("pk").first()
        assert row, model
        change = reverse(f"{name}_change", args=[row.pk])
        assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
        assert admin_client.get(change).status_code == 200
        assert admin_client.get(reverse(f"{name}_add")).status_code == 403
        assert admin_client.post(change, {"held_out": "on"}).status_code == 403
        assert admin_client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_changing_the_accuracy_target_is_recorded_in_its_history(admin_client: Client, admin: User) -> None:
    values = {"target": 0.95, "risk": 0.05, "early_share": 0.3, "late_share": 0.05, "double_check_share": 0.1}
    values |= {"missed_share": 0.1}
    admin_client.post(reverse("admin:review_accuracytarget_change", args=[1]), values)
    accuracy_target = AccuracyTarget.current()
    assert accuracy_target.target == 0.95
    assert accuracy_target.history.latest().history_user == admin
    assert admin_client.get(reverse("admin:review_accuracytarget_add")).status_code == 403
