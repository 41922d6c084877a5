import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0004_attributes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TicketImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('available_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='next try')),
                ('owner', models.UUIDField(editable=False, help_text='A new value each time someone takes the row.', null=True)),
                ('name', models.CharField(max_length=200, verbose_name='file')),
                ('size', models.BigIntegerField(help_text='Bytes of the file.')),
                ('read', models.BigIntegerField(default=0, help_text='Bytes read so far.')),
                ('names', models.JSONField(default=list, help_text="The names of the file's columns.")),
                ('rows', models.JSONField(db_default=[], default=list, help_text='The first rows, a cell for each column.')),
                ('encoding', models.CharField(blank=True, db_default='', default='', help_text='The encoding chosen; empty to detect it.', max_length=40)),
                ('decoded_as', models.CharField(blank=True, db_default='', default='', help_text='The encoding used; empty for binary files.', max_length=40)),
                ('columns', models.JSONField(default=dict, help_text='By field of a record, the column chosen for it.')),
                ('dry_run', models.BooleanField(default=True, verbose_name='dry run')),
                ('state', models.CharField(choices=[('running', 'running'), ('finished', 'finished'), ('failed', 'failed')], default='running', max_length=8, verbose_name='state')),
                ('report', models.JSONField(default=dict)),
                ('error', models.TextField(blank=True, verbose_name='error')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='started')),
                ('source', models.CharField(default='import', max_length=50, verbose_name='source')),
                ('update_texts', models.BooleanField(default=False, verbose_name='update texts')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'import of tickets',
                'verbose_name_plural': 'imports of tickets',
                'ordering': ['-pk'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='TicketImportPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('content', models.BinaryField()),
                ('ticket_import', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='classifier.ticketimport')),
            ],
            options={
                'ordering': ['ticket_import', 'position'],
                'constraints': [models.UniqueConstraint(fields=('ticket_import', 'position'), name='ticket_import_part_once')],
            },
        ),
    ]
