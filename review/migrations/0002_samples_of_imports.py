from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('review', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='labelimport',
            name='decoded_as',
            field=models.CharField(blank=True, db_default='', default='', help_text='The encoding used; empty for binary files.', max_length=40),
        ),
        migrations.AddField(
            model_name='labelimport',
            name='encoding',
            field=models.CharField(blank=True, db_default='', default='', help_text='The encoding chosen; empty to detect it.', max_length=40),
        ),
        migrations.AddField(
            model_name='labelimport',
            name='rows',
            field=models.JSONField(db_default=[], default=list, help_text='The first rows, a cell for each column.'),
        ),
    ]
