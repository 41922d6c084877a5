"""Django admin: how the desk is run, and the records of what people said."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from classifier.admin.history import HistoryAdmin
from classifier.admin.tickets import ReadOnlyAdmin
from review.models import Assignment, Decision, ReviewSettings


@admin.register(ReviewSettings)
class ReviewSettingsAdmin(HistoryAdmin):
    """One row, made when it is first needed."""

    list_display = ("__str__", "blind_share", "double_share", "lease_minutes", "urgent_minutes", "reveal")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ("ticket_id", "reviewer", "verdict", "category", "sentiment", "blind", "purpose", "created_at")
    list_select_related = ("reviewer", "category", "sentiment")
    list_filter = ("verdict", "blind", "purpose")
    raw_id_fields = ("ticket", "assignment", "prediction", "second_opinion", "undoes")


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyAdmin):
    list_display = ("ticket_id", "purpose", "lane", "state", "blind", "reviewer", "value", "due_at")
    list_select_related = ("reviewer",)
    list_filter = ("state", "lane", "purpose", "blind")
    raw_id_fields = ("ticket",)
