"""Who may draft another taxonomy or prompt: admins, who edit the one in force."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations


def extend_roles(apps, schema_editor):
    # Permissions are otherwise made after the last migration, too late for this one.
    create_permissions(global_apps.get_app_config("classifier"), apps=apps, verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="classifier", content_type__model__in=["draft", "draftlabel"]
    )
    admins, _created = apps.get_model("auth", "Group").objects.get_or_create(name="Admin")
    admins.permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0005_drafts"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(extend_roles, migrations.RunPython.noop)]
