"""Specialist versions in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from classifier.admin.tickets import ReadOnlyAdmin
from classifier.models import SpecialistVersion


@admin.register(SpecialistVersion)
class SpecialistVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "trained_at", "labels", "live")
    fields = ("trained_at", "seconds", "labels", "data", "live", "live_since", "pinned_by", "figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return SpecialistVersion.objects.without_weights().defer("taught").select_related("pinned_by")
