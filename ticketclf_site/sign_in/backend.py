"""Authentication backend that loads a user with their permissions in one query."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import connection

from classifier.database.sql import columns, fetch_objects

_WITH_PERMISSIONS = """
SELECT {columns}, COALESCE((
    SELECT {joined}(t.app_label || '.' || p.codename, ' ') FROM auth_permission p
    JOIN django_content_type t ON t.id = p.content_type_id
    WHERE p.id IN (
        SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %(user)s
        UNION SELECT gp.permission_id FROM auth_group_permissions gp
        JOIN auth_user_groups ug ON ug.group_id = gp.group_id WHERE ug.user_id = %(user)s)
), '') FROM auth_user u WHERE u.id = %(user)s"""
_JOINED = {"sqlite": "group_concat", "postgresql": "string_agg"}


class OneQueryBackend(ModelBackend):
    """Needs one query per request where Django's backend needs three."""

    def get_user(self, user_id: Any) -> Any:
        sql = _WITH_PERMISSIONS.format(columns=columns(User, "u"), joined=_JOINED[connection.vendor])
        for user, (names,) in fetch_objects(User, sql, {"user": user_id}):
            vars(user)["permission_names"] = set(names.split())
            return user if self.user_can_authenticate(user) else None
        return None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The permissions loaded with the user; queries them for superusers and users loaded otherwise."""
        names: set[str] | None = vars(user_obj).get("permission_names")
        if names is None or obj is not None or user_obj.is_superuser or not user_obj.is_active:
            return super().get_all_permissions(user_obj, obj)
        return names
