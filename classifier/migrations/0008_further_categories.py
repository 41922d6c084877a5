from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0007_attributes_of_settled_tickets'),
    ]

    operations = [
        migrations.AddField(
            model_name='gate',
            name='further_categories',
            field=models.BooleanField(db_default=False, default=False, help_text='Models and reviewers may name further categories of a ticket, besides the main one, which alone decides about auto-accept. A change starts a new prompt version.', verbose_name='further categories'),
        ),
        migrations.AddField(
            model_name='helpdesk',
            name='further_categories_field',
            field=models.CharField(blank=True, db_default='', help_text='Receives their names, with semicolons between them.', max_length=100, verbose_name='field for further categories'),
        ),
        migrations.AddField(
            model_name='historicalgate',
            name='further_categories',
            field=models.BooleanField(db_default=False, default=False, help_text='Models and reviewers may name further categories of a ticket, besides the main one, which alone decides about auto-accept. A change starts a new prompt version.', verbose_name='further categories'),
        ),
        migrations.AddField(
            model_name='historicalhelpdesk',
            name='further_categories_field',
            field=models.CharField(blank=True, db_default='', help_text='Receives their names, with semicolons between them.', max_length=100, verbose_name='field for further categories'),
        ),
        migrations.AddField(
            model_name='prediction',
            name='further_categories',
            field=models.JSONField(db_default=[], default=list, help_text='Primary keys of categories besides the main one.'),
        ),
        migrations.AddField(
            model_name='ticket',
            name='further_categories',
            field=models.JSONField(db_default=[], default=list, editable=False, help_text='Primary keys of categories besides the main one.'),
        ),
    ]
