"""Django admin of review settings, decisions and assignments."""

from django.contrib import admin

from classifier.admin.history import SingletonAdmin
from classifier.admin.tickets import ReadOnlyAdmin
from review.models import Assignment, Decision, ReviewSettings


@admin.register(ReviewSettings)
class ReviewSettingsAdmin(SingletonAdmin):
    list_display = (
        "__str__",
        "blind_share",
        "double_share",
        "sample_share",
        "lease_minutes",
        "urgent_minutes",
        "reveal",
    )


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    ticket_path = "ticket"
    list_display = ("ticket_id", "reviewer", "verdict", "category", "sentiment", "blind", "purpose", "created_at")
    list_select_related = ("reviewer", "category", "sentiment")
    list_filter = ("verdict", "blind", "purpose")
    raw_id_fields = ("ticket", "assignment", "prediction", "second_opinion", "undoes")


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyAdmin):
    ticket_path = "ticket"
    list_display = ("ticket_id", "purpose", "lane", "state", "blind", "reviewer", "value", "due_at")
    list_select_related = ("reviewer",)
    list_filter = ("state", "lane", "purpose", "blind")
    raw_id_fields = ("ticket",)
