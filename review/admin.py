from django.contrib import admin

from .models import BenchmarkItem


@admin.register(BenchmarkItem)
class BenchmarkItemAdmin(admin.ModelAdmin):
    """The items as they are; what they should be labelled is not edited by hand."""

    list_display = ("text", "category", "sentiment", "origin")
    list_select_related = ("category", "sentiment")
    list_filter = ("origin",)

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False
