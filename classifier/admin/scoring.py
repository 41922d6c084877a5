"""Scorers and audit draws in the admin."""

from django.contrib import admin

from classifier.admin.tickets import ReadOnlyAdmin
from classifier.models import AuditDraw, Scorer


@admin.register(Scorer)
class ScorerAdmin(ReadOnlyAdmin):
    list_display = ("pk", "language_model", "specialist_version", "labels", "live", "fitted_at")
    list_select_related = ("language_model", "specialist_version")
    list_filter = ("live",)


@admin.register(AuditDraw)
class AuditDrawAdmin(ReadOnlyAdmin):
    ticket_path = "verdict__ticket"
    list_display = ("pk", "epoch_id", "value", "share", "number", "audited", "void")
    list_filter = ("audited", "void")
    raw_id_fields = ("verdict", "score")
