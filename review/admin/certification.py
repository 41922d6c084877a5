"""Django admin of the accuracy target, certificates, alarms, audits and ledgers."""

from django.contrib import admin

from classifier.admin.history import SingletonAdmin
from classifier.admin.tickets import ReadOnlyAdmin
from review.models import AccuracyTarget, Alarm, Audit, Certificate, Ledger


@admin.register(AccuracyTarget)
class AccuracyTargetAdmin(SingletonAdmin):
    list_display = ("__str__", "target", "risk", "early_share", "late_share", "missed_share", "by_category")


@admin.register(Certificate)
class CertificateAdmin(ReadOnlyAdmin):
    list_display = ("pk", "ledger", "threshold", "coverage", "audits", "errors", "granted_at", "ended_at", "ended_by")
    list_filter = ("ended_by",)


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ("pk", "kind", "state", "raised_at", "closed_at", "seen_by")
    list_select_related = ("seen_by",)
    list_filter = ("state", "kind")


@admin.register(Audit)
class AuditAdmin(ReadOnlyAdmin):
    ticket_path = "ticket"
    list_display = ("ticket_id", "epoch_id", "category_right", "sentiment_right", "flaw", "held_out", "judged_at")
    list_filter = ("category_right", "sentiment_right", "flaw", "held_out")
    raw_id_fields = ("draw", "ticket")


@admin.register(Ledger)
class LedgerAdmin(ReadOnlyAdmin):
    list_display = ("pk", "epoch_id", "about", "error", "risk", "claim", "opened_at", "closed_at")
