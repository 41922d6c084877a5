"""Scorers, and the lots of audits that were drawn by what they say."""

from django.contrib import admin

from classifier.admin.tickets import ReadOnlyAdmin
from classifier.models import AuditDraw, Scorer


@admin.register(Scorer)
class ScorerAdmin(ReadOnlyAdmin):
    list_display = ("pk", "language_model", "witness", "labels", "in_service", "fitted_at")
    list_select_related = ("language_model", "witness")
    list_filter = ("in_service",)


@admin.register(AuditDraw)
class AuditDrawAdmin(ReadOnlyAdmin):
    list_display = ("pk", "epoch_id", "value", "share", "number", "audited", "void")
    list_filter = ("audited", "void")
    raw_id_fields = ("verdict", "score")
