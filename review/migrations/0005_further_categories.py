from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('review', '0004_ledger_missed_share'),
    ]

    operations = [
        migrations.AddField(
            model_name='decision',
            name='further_categories',
            field=models.JSONField(db_default=[], default=list, help_text='Primary keys of categories besides the main one.'),
        ),
        migrations.AddField(
            model_name='goldlabel',
            name='further_categories',
            field=models.JSONField(db_default=[], default=list, editable=False, help_text='Primary keys of categories besides the main one.'),
        ),
        migrations.AddField(
            model_name='snapshotitem',
            name='further_categories',
            field=models.JSONField(db_default=[], default=list),
        ),
    ]
