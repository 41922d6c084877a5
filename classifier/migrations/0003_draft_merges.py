import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0002_review_shortcuts'),
    ]

    operations = [
        migrations.AddField(
            model_name='draftlabel',
            name='merge_into',
            field=models.ForeignKey(editable=False, help_text='Of a dropped label: the one that what refers to it moves to.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='classifier.draftlabel'),
        ),
    ]
