from django.db import migrations, models


def keep_keys(apps, schema_editor):
    """Store the key that each label has had by its place in the tree."""
    for name, most in (("Category", 9), ("Sentiment", 6)):
        labels = apps.get_model("classifier", name).objects
        rows = labels.filter(retired=False).order_by("position", "name")
        parents = dict(rows.values_list("pk", "parent_id")) if name == "Category" else {row.pk: None for row in rows}
        children = {}
        for pk, parent in parents.items():
            children.setdefault(parent if parent in parents else None, []).append(pk)
        for number, pk in enumerate(in_reading_order(children, None), start=1):
            if number <= most:
                labels.filter(pk=pk).update(shortcut=number)


def in_reading_order(children, parent):
    for pk in children.get(parent, []):
        yield pk
        yield from in_reading_order(children, pk)


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='category',
            name='shortcut',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Number of its key on the review screen. Empty: no key.', null=True, verbose_name='shortcut'),
        ),
        migrations.AddField(
            model_name='historicalcategory',
            name='shortcut',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Number of its key on the review screen. Empty: no key.', null=True, verbose_name='shortcut'),
        ),
        migrations.AddField(
            model_name='historicalsentiment',
            name='shortcut',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Number of its key on the review screen. Empty: no key.', null=True, verbose_name='shortcut'),
        ),
        migrations.AddField(
            model_name='sentiment',
            name='shortcut',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Number of its key on the review screen. Empty: no key.', null=True, verbose_name='shortcut'),
        ),
        migrations.RunPython(keep_keys, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='category',
            constraint=models.UniqueConstraint(condition=models.Q(('retired', False)), fields=('shortcut',), name='category_shortcut_once'),
        ),
        migrations.AddConstraint(
            model_name='category',
            constraint=models.CheckConstraint(condition=models.Q(('shortcut__isnull', True), ('shortcut__range', (1, 9)), _connector='OR'), name='category_shortcut_exists', violation_error_message='Shortcuts are numbered from 1 to 9.'),
        ),
        migrations.AddConstraint(
            model_name='sentiment',
            constraint=models.UniqueConstraint(condition=models.Q(('retired', False)), fields=('shortcut',), name='sentiment_shortcut_once'),
        ),
        migrations.AddConstraint(
            model_name='sentiment',
            constraint=models.CheckConstraint(condition=models.Q(('shortcut__isnull', True), ('shortcut__range', (1, 6)), _connector='OR'), name='sentiment_shortcut_exists', violation_error_message='Shortcuts are numbered from 1 to 6.'),
        ),
    ]
