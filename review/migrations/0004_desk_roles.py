"""What the three roles may do at the desk. Agents decide, leads also adjudicate and oversee, admins run it."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

AGENT = {"add_decision"}
LEAD = AGENT | {"adjudicate", "view_decision", "view_assignment", "view_reviewsettings"}


def extend_roles(apps, schema_editor):
    # Permissions are otherwise made after the last migration, too late for this one.
    create_permissions(global_apps.get_app_config("review"), apps=apps, verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="review")
    group = apps.get_model("auth", "Group").objects.get_or_create
    group(name="Agent")[0].permissions.add(*permissions.filter(codename__in=AGENT))
    group(name="Lead")[0].permissions.add(*permissions.filter(codename__in=LEAD))
    group(name="Admin")[0].permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [("review", "0003_review_desk")]

    operations = [migrations.RunPython(extend_roles, migrations.RunPython.noop)]
