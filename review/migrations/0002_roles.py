"""The three roles. Agents see and add tickets, leads also how they were judged, admins edit everything."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

AGENT = {"view_ticket", "add_ticket"}
LEAD = AGENT | {"change_ticket", "view_prediction", "view_failure", "view_verdict", "view_category", "view_sentiment"}


def make_roles(apps, schema_editor):
    for app in ("auth", "classifier", "review"):
        # Permissions are otherwise made after the last migration, too late for this one.
        create_permissions(global_apps.get_app_config(app), apps=apps, verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label__in=["classifier", "review"])
    people = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="auth", content_type__model__in=["user", "group"]
    )
    group = apps.get_model("auth", "Group").objects.get_or_create
    group(name="Agent")[0].permissions.add(*permissions.filter(codename__in=AGENT))
    group(name="Lead")[0].permissions.add(*permissions.filter(codename__in=LEAD))
    group(name="Admin")[0].permissions.add(*permissions, *people)


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0001_initial"),
        ("classifier", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
