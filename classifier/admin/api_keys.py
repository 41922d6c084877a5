"""API keys in the admin: created and shown once, then only revoked."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from classifier.admin.editing import EditAdmin, EditForm
from classifier.api import keys
from classifier.models import ApiKey
from classifier.models.api_keys import Scope


class ApiKeyForm(EditForm):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What the key may be used for. Grant only what it needs."),
    )


@admin.register(ApiKey)
class ApiKeyAdmin(EditAdmin):
    form = ApiKeyForm
    list_display = ("name", "prefix", "user", "scope_list", "expires_at", "revoked_at", "last_used_at")
    list_select_related = ("user",)
    fields = ("name", "user", "scopes", "per_minute", "expires_at")
    made = ("prefix", "created_by", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Revoked keys stay as a record of whose they were."""
        return False

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return (*self.fields, *self.made) if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return ("user", *self.made) if obj else ()

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            people = User.objects.filter(is_active=True)
            # A key must not give its creator more rights than they have.
            kwargs["queryset"] = people if request.user.is_superuser else people.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: Any, obj: ApiKey, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user
            request.shown_key = keys.assign_secret(obj)
        super().save_model(request, obj, form, change)

    def response_add(self, request: Any, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key once, on this page only: messages and sessions are stored."""
        context = self.admin_site.each_context(request) | {
            "title": _("Copy the key now"),
            "opts": self.opts,
            "key": obj,
            "shown": request.shown_key,
        }
        page = TemplateResponse(request, "admin/classifier/apikey/made.html", context)
        add_never_cache_headers(page)
        return page

    @admin.display(description=_("scopes"))
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        count = keys.revoke(chosen)
        self.message_user(request, ngettext("%d key is revoked.", "%d keys are revoked.", count) % count)
