"""Admin of people: accounts, groups, second factors and linked accounts.

Only superusers touch what is a superuser's, and nobody grants a permission that they lack. Second factors and linked
accounts can be removed, for people who lost theirs, but not edited; the account library's other tables are hidden.
"""

from typing import Any

from allauth.account import admin as account_admin
from allauth.account.models import EmailAddress
from allauth.mfa import admin as mfa_admin
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as federation_admin
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions import admin as sessions_admin
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q
from django.http import HttpRequest

from classifier.admin.editing import EditAdmin, EditForm

# Importing them registers their models, which are unregistered next.
for _module in (account_admin, mfa_admin, federation_admin, sessions_admin):
    assert _module  # noqa: S101 - as the comment says
admin.site.unregister([EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession])
admin.site.unregister([Group, User])


def _may_touch(request: HttpRequest, person: User | None) -> bool:
    return person is None or not person.is_superuser or request.user.is_superuser


class _GrantingAdmin(EditAdmin):
    """Offers the permissions that the person who grants them has."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.many_to_many and not request.user.is_superuser:
            held = Permission.objects.filter(Q(user=request.user.pk) | Q(group__user=request.user.pk))
            if db_field.related_model is Permission:
                field.queryset = field.queryset.filter(pk__in=held)
            else:
                field.queryset = Group.objects.exclude(permissions__in=Permission.objects.exclude(pk__in=held))
        return field


class PersonForm(EditForm, UserChangeForm):
    pass


@admin.register(User)
class PersonAdmin(_GrantingAdmin, UserAdmin):
    form = PersonForm

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return () if request.user.is_superuser else ("is_superuser",)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


@admin.register(Group)
class RoleAdmin(_GrantingAdmin, GroupAdmin):
    pass


class _DeleteOnlyAdmin(admin.ModelAdmin):
    list_select_related = ("user",)
    search_fields = ("user__username",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or _may_touch(request, obj.user))


@admin.register(Authenticator)
class SecondFactorAdmin(_DeleteOnlyAdmin):
    list_display = ("user", "type", "created_at", "last_used_at")
    fields = list_display


@admin.register(SocialAccount)
class LinkedAccountAdmin(_DeleteOnlyAdmin):
    list_display = ("user", "provider", "date_joined", "last_login")
    fields = list_display
