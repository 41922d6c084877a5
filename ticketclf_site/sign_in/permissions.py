"""Who may do what, asked of the database once a request."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import QuerySet

from review.workflow.prepared import Columns, Prepared


class OneQueryBackend(ModelBackend):
    """Django's own asks three times, who it is, what they may do and what their groups may, and every request waits."""

    def get_user(self, user_id: Any) -> Any:
        sql = _WITH_GRANTED.format(columns=_COLUMNS.of("u"), joined=_JOINED[connection.vendor])
        for user, (granted,) in _COLUMNS.objects_and_more(sql, [user_id, user_id, user_id]):
            if user.is_active and not user.is_superuser:
                cast(Any, user)._perm_cache = set((granted or "").split())
            return user if self.user_can_authenticate(user) else None
        return None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or user_obj.is_superuser or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            found = _GRANTED.tuples(user=user_obj.pk)
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in found}
        permissions: set[str] = user_obj._perm_cache
        return permissions


_COLUMNS = Columns(User)
_WITH_GRANTED = """
SELECT {columns}, (
    SELECT {joined}(t.app_label || '.' || p.codename, ' ') FROM auth_permission p
    JOIN django_content_type t ON t.id = p.content_type_id
    WHERE p.id IN (
        SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %s
        UNION SELECT gp.permission_id FROM auth_group_permissions gp
        JOIN auth_user_groups ug ON ug.group_id = gp.group_id WHERE ug.user_id = %s)
) AS granted FROM auth_user u WHERE u.id = %s"""
_JOINED = {"sqlite": "group_concat", "postgresql": "string_agg"}


def _granted(user: int) -> QuerySet[Permission, Any]:
    names = Permission.objects.order_by().values_list("content_type__app_label", "codename")
    return names.filter(user=user).union(names.filter(group__user=user))


_GRANTED = Prepared(_granted, user=int)
