"""Admin of second factors and linked accounts: they can be removed, for people who lost theirs, but not edited.

Secrets are not shown, and the account library's other tables are hidden.
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
from django.http import HttpRequest

# Importing them registers their models, which are unregistered next.
for _module in (account_admin, mfa_admin, federation_admin, sessions_admin):
    assert _module  # noqa: S101 - as the comment says
admin.site.unregister([EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession])


class _DeleteOnlyAdmin(admin.ModelAdmin):
    list_select_related = ("user",)
    search_fields = ("user__username",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Authenticator)
class SecondFactorAdmin(_DeleteOnlyAdmin):
    list_display = ("user", "type", "created_at", "last_used_at")
    fields = list_display


@admin.register(SocialAccount)
class LinkedAccountAdmin(_DeleteOnlyAdmin):
    list_display = ("user", "provider", "date_joined", "last_login")
    fields = list_display
