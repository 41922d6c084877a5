"""Tickets are found by their words. Those that are there are indexed at once, which takes minutes for a million."""

from django.db import migrations

from classifier.database import search


def create(apps, schema_editor):
    search.create_index(schema_editor.connection)


def drop(apps, schema_editor):
    search.drop_index(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("classifier", "0002_labels_settled_on")]

    operations = [migrations.RunPython(create, drop)]
