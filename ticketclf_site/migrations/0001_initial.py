"""Let admins remove second factors, for people who lost theirs, and links to OpenID accounts."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

ADMIN = {"view_authenticator", "delete_authenticator", "view_socialaccount", "delete_socialaccount"}


def extend_roles(apps, schema_editor):
    for label in ("mfa", "socialaccount"):
        create_permissions(global_apps.get_app_config(label), apps=apps, verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(codename__in=ADMIN)
    apps.get_model("auth", "Group").objects.get_or_create(name="Admin")[0].permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [migrations.RunPython(extend_roles, migrations.RunPython.noop)]
