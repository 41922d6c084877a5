
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0005_ticket_imports'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='prediction',
            name='prediction_once',
        ),
        migrations.RemoveConstraint(
            model_name='prediction',
            name='prediction_once_per_version',
        ),
        migrations.AddField(
            model_name='prediction',
            name='first',
            field=models.ForeignKey(help_text="The first model's own prediction, where the specialist's labels were weighed against its.", null=True, on_delete=django.db.models.deletion.CASCADE, related_name='combined', to='classifier.prediction'),
        ),
        migrations.AddField(
            model_name='prediction',
            name='scorer',
            field=models.ForeignKey(help_text='Which scorer says how.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.scorer'),
        ),
        migrations.AddField(
            model_name='scorer',
            name='category_by',
            field=models.CharField(choices=[('first', 'the first model'), ('specialist', 'the specialist'), ('together', 'both together')], db_default='first', default='first', max_length=10, verbose_name='category given by'),
        ),
        migrations.AddField(
            model_name='scorer',
            name='sentiment_by',
            field=models.CharField(choices=[('first', 'the first model'), ('specialist', 'the specialist'), ('together', 'both together')], db_default='first', default='first', max_length=10, verbose_name='sentiment given by'),
        ),
        migrations.AddConstraint(
            model_name='prediction',
            constraint=models.UniqueConstraint(condition=models.Q(('first', None), ('version', None)), fields=('ticket', 'language_model', 'contract'), name='prediction_once'),
        ),
        migrations.AddConstraint(
            model_name='prediction',
            constraint=models.UniqueConstraint(condition=models.Q(('first', None), ('version__isnull', False)), fields=('ticket', 'language_model', 'contract', 'version'), name='prediction_once_per_version'),
        ),
        migrations.AddConstraint(
            model_name='prediction',
            constraint=models.UniqueConstraint(fields=('first', 'scorer'), name='prediction_once_per_scorer'),
        ),
        migrations.AddConstraint(
            model_name='prediction',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('first', None), ('scorer', None)), models.Q(('first__isnull', False), ('scorer__isnull', False)), _connector='OR'), name='prediction_combined_by_a_scorer'),
        ),
        migrations.AddConstraint(
            model_name='scorer',
            constraint=models.CheckConstraint(condition=models.Q(('category_by__in', ['first', 'specialist', 'together']), ('sentiment_by__in', ['first', 'specialist', 'together'])), name='scorer_answerer_known'),
        ),
        migrations.AddConstraint(
            model_name='scorer',
            constraint=models.CheckConstraint(condition=models.Q(('specialist_version__isnull', False), models.Q(('category_by', 'first'), ('sentiment_by', 'first')), _connector='OR'), name='scorer_asks_a_trained_specialist'),
        ),
    ]
