"""Providers, models and the gate in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.admin.editing import EditForm
from classifier.admin.history import HistoryAdmin, SingletonAdmin
from classifier.contract.types import ClassifierError, JsonMode
from classifier.inference.health_check import ping, summary
from classifier.models import Gate, LanguageModel, Provider
from classifier.models.contract import EmptyTaxonomy
from classifier.security import ssrf


class ProviderForm(EditForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "kind" in self.fields:
            # The fallback model must stay embedded.
            self.fields["kind"].disabled = True

    def clean_base_url(self) -> str:
        url: str = self.cleaned_data["base_url"]
        try:
            if url and "base_url" in self.changed_data:
                ssrf.check_url(url)
        except ssrf.ForbiddenAddress as error:
            raise forms.ValidationError(str(error)) from error
        return url


@admin.register(Provider)
class ProviderAdmin(HistoryAdmin):
    form = ProviderForm
    list_display = ("name", "kind", "base_url", "key", "spent_today", "daily_budget")

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        return ("key", "spent_today") if obj else ()

    def get_exclude(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        """Texts for embedded models never leave this machine."""
        return ("mask",) if obj and obj.kind == Provider.Kind.EMBEDDED else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        today = Q(spends__day=timezone.now().date())
        providers: QuerySet[Any] = (
            super().get_queryset(request).annotate(spent=Sum("spends__cost", filter=today, default=0))
        )
        return providers

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "base_url" in form.changed_data:
            # Another server may take other JSON modes.
            obj.language_models.update(json_mode=JsonMode.UNKNOWN)

    @admin.display(description=_("key"))
    def key(self, provider: Provider) -> str:
        if not provider.api_key_env:
            return gettext("none needed")
        if provider.missing_key:
            return gettext("missing %s") % provider.missing_key
        return gettext("set")

    @admin.display(description=_("spent today"))
    def spent_today(self, provider: Any) -> str:
        return f"{provider.spent:.4f}"


class LanguageModelForm(EditForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and _is_embedded(self.instance) and "provider" in self.fields:
            self.fields["provider"].disabled = True

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        provider = values.get("provider")
        kind = provider and provider.kind
        if kind and kind != Provider.Kind.EMBEDDED and values.get("learning"):
            self.add_error("learning", _("Only embedded models learn; endpoints can be shown labelled examples."))
        if kind and kind != Provider.Kind.CHAT and values.get("examples"):
            self.add_error(
                "examples", _("Only chat endpoints are shown labelled examples; embedded models learn from them.")
            )
        if kind and kind != Provider.Kind.CHAT and values.get("logprobs"):
            self.add_error("logprobs", _("Only chat endpoints can return log-probabilities."))
        return values


@admin.register(LanguageModel)
class LanguageModelAdmin(HistoryAdmin):
    form = LanguageModelForm
    list_display = ("name", "provider", "family", "json_mode", "examples", "max_in_flight", "timeout")
    list_filter = ("provider",)
    list_select_related = ("provider",)
    actions = ("ping",)

    def get_exclude(self, request: HttpRequest, obj: LanguageModel | None = None) -> tuple[str, ...]:
        """Hide fields of the other kind of model; a new model may be of either kind."""
        if obj is None:
            return ()
        return ("examples", "logprobs") if _is_embedded(obj) else ("learning",)

    def has_delete_permission(self, request: HttpRequest, obj: LanguageModel | None = None) -> bool:
        # Embedded models are the fallback for missing keys.
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and not (obj and _is_embedded(obj))

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        if {"name", "provider", "extra"}.intersection(form.changed_data):
            obj.json_mode = JsonMode.UNKNOWN
        super().save_model(request, obj, form, change)

    @admin.action(description=_("Ping: classify one short ticket"), permissions=["change"])
    def ping(self, request: HttpRequest, language_models: QuerySet[LanguageModel]) -> None:
        for language_model in language_models.select_related("provider"):
            try:
                result = ping(language_model)
            except EmptyTaxonomy as error:
                self.message_user(request, str(error), messages.ERROR)
                continue
            if isinstance(result, ClassifierError):
                self.message_user(request, f"{language_model}: {result.kind}: {result}", messages.ERROR)
            else:
                self.message_user(request, f"{language_model}: {summary(result)}")


def _is_embedded(language_model: LanguageModel) -> bool:
    return language_model.provider.kind == Provider.Kind.EMBEDDED


@admin.register(Gate)
class GateAdmin(SingletonAdmin):
    fields = (
        *("front", "front_threshold", "primary", "second_opinion"),
        *("mode", "about", "threshold", "agreement", "score_threshold", "further_categories"),
        *("active_front", "active_primary", "active_second_opinion"),
    )
    readonly_fields = ("active_front", "active_primary", "active_second_opinion")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:classifier_gate_change", args=[1]))

    @admin.display(description=_("active primary"))
    def active_primary(self, gate: Gate) -> str:
        return gate.notice or str(gate.active_primary())

    @admin.display(description=_("active front model"))
    def active_front(self, gate: Gate) -> str:
        if gate.front is None:
            return gettext("none chosen")
        hindrance = gate.front_inactive_reason
        return gettext("none: %s") % hindrance if hindrance else str(gate.front)

    @admin.display(description=_("active second opinion"))
    def active_second_opinion(self, gate: Gate) -> str:
        second = gate.second_opinion
        if second is None:
            return gettext("none chosen")
        if variable := second.provider.missing_key:
            return gettext("none: no key in %(variable)s for %(model)s") % {"variable": variable, "model": second}
        if gate.active_second_opinion() is None:
            return gettext("none: %s is from the same family as the active primary") % second
        return str(second)
