"""Providers, models, and the roles that the gate gives them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin

from classifier.contract import ClassifierError, JsonMode
from classifier.models import Gate, ModelSpec, Provider, Spend
from classifier.models.contract import EmptyTaxonomy
from classifier.ping import ping


@admin.register(Provider)
class ProviderAdmin(SimpleHistoryAdmin):
    list_display = ("name", "kind", "base_url", "key", "spent_today", "daily_budget")

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "base_url" in form.changed_data:
            # Another server may take other JSON modes.
            obj.specs.update(json_mode=JsonMode.UNKNOWN)

    @admin.display(description=_("key"))
    def key(self, provider: Provider) -> str:
        if not provider.api_key_env:
            return gettext("none needed")
        if provider.missing_key:
            return gettext("missing %s") % provider.missing_key
        return gettext("set")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        self._spent = dict(Spend.objects.filter(day=timezone.now().date()).values_list("provider", "cost"))
        providers: QuerySet[Any] = super().get_queryset(request)
        return providers

    @admin.display(description=_("spent today"))
    def spent_today(self, provider: Provider) -> str:
        return f"{self._spent.get(provider.pk, 0):.4f}"


@admin.register(ModelSpec)
class ModelSpecAdmin(SimpleHistoryAdmin):
    list_display = ("name", "provider", "family", "json_mode", "max_in_flight", "timeout")
    list_filter = ("provider",)
    list_select_related = ("provider",)
    actions = ("ping",)

    def save_model(self, request: HttpRequest, obj: ModelSpec, form: Any, change: bool) -> None:
        if {"name", "provider", "extra"}.intersection(form.changed_data):
            obj.json_mode = JsonMode.UNKNOWN
        super().save_model(request, obj, form, change)

    @admin.action(description=_("Ping: ask one short ticket"), permissions=["change"])
    def ping(self, request: HttpRequest, specs: QuerySet[ModelSpec]) -> None:
        for spec in specs.select_related("provider"):
            try:
                result = ping(spec)
            except EmptyTaxonomy as error:
                self.message_user(request, str(error), messages.ERROR)
                continue
            if isinstance(result, ClassifierError):
                self.message_user(request, f"{spec}: {result.kind}: {result}", messages.ERROR)
            else:
                usage = result.usage
                self.message_user(request, f"{spec}: ok, {usage.latency_ms:.0f} ms, {usage.json_mode}")


@admin.register(Gate)
class GateAdmin(SimpleHistoryAdmin):
    fields = ("primary", "second_opinion", "threshold", "in_charge")
    readonly_fields = ("in_charge",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:classifier_gate_change", args=[1]))

    @admin.display(description=_("in charge now"))
    def in_charge(self, gate: Gate) -> str:
        return gate.notice or str(gate.primary_in_charge())
