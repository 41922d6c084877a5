"""Who may teach: leads look at doubtful labels and choose versions together with admins, who have all of it."""

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

LEAD = {"teach", "view_labelissue"}


def extend_roles(apps, schema_editor):
    create_permissions(global_apps.get_app_config("review"), apps=apps, verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="review")
    group = apps.get_model("auth", "Group").objects.get_or_create
    group(name="Lead")[0].permissions.add(*permissions.filter(codename__in=LEAD))
    group(name="Admin")[0].permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [("review", "0009_doubts_and_trainings")]

    operations = [migrations.RunPython(extend_roles, migrations.RunPython.noop)]
