"""Admins have all of it; leads see what goes in and out, and may have it sent once more."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

LEAD = {"view_webhook", "view_helpdesk", "view_mailbox", "view_event", "view_erasure"}
LEAD |= {"view_delivery", "change_delivery", "view_writeback", "change_writeback"}


def extend_roles(apps, schema_editor):
    create_permissions(global_apps.get_app_config("classifier"), apps=apps, verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="classifier")
    group = apps.get_model("auth", "Group").objects.get_or_create
    group(name="Lead")[0].permissions.add(*permissions.filter(codename__in=LEAD))
    group(name="Admin")[0].permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [("classifier", "0011_into_production")]

    operations = [migrations.RunPython(extend_roles, migrations.RunPython.noop)]
