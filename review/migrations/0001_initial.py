import classifier.models.ticket
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import review.models.review_settings
import simple_history.models
from django.conf import settings
from django.db import migrations, models

from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions


AGENT = {"view_ticket", "add_ticket", "add_decision"}
LEAD = AGENT | {
    "change_ticket", "view_prediction", "view_failure", "view_verdict", "view_category", "view_sentiment",
    "adjudicate", "view_decision", "view_assignment", "view_reviewsettings",
    "benchmark", "set_threshold", "view_goldlabel", "add_goldlabel", "change_goldlabel", "view_snapshot",
    "teach", "view_labelissue", "view_specialistversion",
    "view_scorer", "view_score", "view_auditdraw",
    "set_accuracy_target", "view_accuracytarget", "view_certificate", "view_alarm", "view_audit",
    "view_webhook", "view_helpdesk", "view_mailbox", "view_event", "view_erasure",
    "view_delivery", "change_delivery", "view_writeback", "change_writeback",
}


def make_roles(apps, schema_editor):
    for app in ("auth", "classifier", "review"):
        # Permissions are otherwise made after the last migration, too late for this one.
        create_permissions(global_apps.get_app_config(app), apps=apps, verbosity=0)
    permissions = apps.get_model("auth", "Permission").objects
    ours = permissions.filter(content_type__app_label__in=["classifier", "review"])
    people = permissions.filter(content_type__app_label="auth", content_type__model__in=["user", "group"])
    group = apps.get_model("auth", "Group").objects.get_or_create
    group(name="Agent")[0].permissions.add(*ours.filter(codename__in=AGENT))
    group(name="Lead")[0].permissions.add(*ours.filter(codename__in=LEAD))
    group(name="Admin")[0].permissions.add(*ours, *people)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('auth', '__first__'),
        ('classifier', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Preferences',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='review_preferences', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('changed_keys', models.JSONField(default=dict, help_text='Changed keys by action.', verbose_name='changed keys')),
                ('keys_on', models.BooleanField(default=True, verbose_name='single keys')),
            ],
            options={
                'verbose_name': 'preferences',
                'verbose_name_plural': 'preferences',
            },
        ),
        migrations.CreateModel(
            name='AccuracyTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('target', models.FloatField(default=0.97, help_text='Share of auto-accepted tickets, from 0.5 to 0.999.', validators=[django.core.validators.MinValueValidator(0.5), django.core.validators.MaxValueValidator(0.999)], verbose_name='at least right')),
                ('risk', models.FloatField(default=0.05, help_text='Accepted probability that a certificate is false, from 0.001 to 0.5.', validators=[django.core.validators.MinValueValidator(0.001), django.core.validators.MaxValueValidator(0.5)], verbose_name='risk')),
                ('early_share', models.FloatField(default=0.3, help_text='Share of tickets audited while there is little evidence, from 0.03 to 1.', validators=[django.core.validators.MinValueValidator(0.03), django.core.validators.MaxValueValidator(1.0)], verbose_name='audits at first')),
                ('late_share', models.FloatField(default=0.03, help_text='Share of tickets audited once there is plenty, from 0.03 to 1.', validators=[django.core.validators.MinValueValidator(0.03), django.core.validators.MaxValueValidator(1.0)], verbose_name='audits later')),
                ('double_check_share', models.FloatField(default=0.1, help_text='Share of audits that agree with the model and still go to a second person.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='double-checked agreements')),
                ('missed_share', models.FloatField(default=0.1, help_text="Share of the model's errors that audits are assumed to miss, from 0 to 0.5.", validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(0.5)], verbose_name='errors that people overlook')),
                ('by_category', models.BooleanField(default=False, help_text='Shows which categories meet the target on their own; this takes more audits.', verbose_name='certify categories on their own too')),
                ('claims', models.PositiveIntegerField(default=0, editable=False, help_text='How many certificates have been tried for; each later one may spend less.')),
            ],
            options={
                'verbose_name': 'accuracy target',
                'verbose_name_plural': 'accuracy target',
                'permissions': [('set_accuracy_target', 'Can set the accuracy target, handle alarms and export the evidence')],
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='accuracy_target_is_one'), models.CheckConstraint(condition=models.Q(('target__range', (0.5, 0.999))), name='accuracy_target_target_in_range'), models.CheckConstraint(condition=models.Q(('risk__range', (0.001, 0.5))), name='accuracy_target_risk_in_range'), models.CheckConstraint(condition=models.Q(('double_check_share__range', (0, 1)), ('early_share__range', (0.03, 1)), ('late_share__range', (0.03, 1)), ('missed_share__range', (0, 0.5))), name='accuracy_target_shares_in_range')],
            },
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text="Among the ticket's assignments.", verbose_name='number')),
                ('round', models.PositiveSmallIntegerField(default=1, help_text='Labelling round of the ticket; a dispute starts another.', verbose_name='round')),
                ('purpose', models.CharField(choices=[('review', 'review'), ('double', 'double labelling'), ('audit', 'audit'), ('sample', 'random sample'), ('adjudication', 'adjudication')], default='review', max_length=12, verbose_name='purpose')),
                ('lane', models.CharField(choices=[('agents', 'agents'), ('leads', 'leads')], default='agents', max_length=6, verbose_name='lane')),
                ('state', models.CharField(choices=[('open', 'open'), ('answered', 'answered'), ('withdrawn', 'withdrawn')], default='open', max_length=9, verbose_name='state')),
                ('blind', models.BooleanField(default=False, verbose_name='blind')),
                ('share', models.FloatField(default=1, help_text='Probability with which it was drawn for its purpose.', verbose_name='share')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='opened')),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('taken_at', models.DateTimeField(blank=True, null=True)),
                ('due_at', models.DateTimeField(blank=True, null=True, verbose_name='due')),
                ('value', models.FloatField(help_text='Value of an answer; higher comes first.', verbose_name='value')),
                ('received_at', models.DateTimeField(verbose_name='received')),
                ('language', models.CharField(blank=True, max_length=20, verbose_name='language')),
                ('reason', models.CharField(blank=True, choices=[('confident', 'confident enough'), ('below_threshold', 'below the threshold'), ('not_certified', 'not certified yet'), ('disagreement', 'two models disagree'), ('incident', 'burst of alike tickets'), ('prompt_injection', 'possible prompt injection'), ('out_of_taxonomy', 'answer outside the taxonomy'), ('failure', 'no valid answer')], max_length=20, verbose_name='reason')),
                ('confidence', models.FloatField(null=True, verbose_name='confidence')),
                ('category', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.category', verbose_name='category')),
                ('excluded_reviewer', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('language_model', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.languagemodel', verbose_name='model')),
                ('reviewer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to=settings.AUTH_USER_MODEL, verbose_name='assignee')),
                ('sentiment', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.sentiment', verbose_name='sentiment')),
                ('skipped_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='classifier.ticket')),
            ],
            options={
                'verbose_name': 'assignment',
                'ordering': ['pk'],
                'indexes': [models.Index(condition=models.Q(('state', 'open'), ('skipped_by__isnull', False)), fields=['skipped_by'], name='assignment_skipped_by'), models.Index(condition=models.Q(('state', 'open'), ('due_at__isnull', False)), fields=['lane', 'due_at'], name='assignment_by_due'), models.Index(condition=models.Q(('state', 'open')), fields=['lane', '-value', 'id'], name='assignment_by_value'), models.Index(condition=models.Q(('state', 'open')), fields=['lane', 'received_at', 'id'], name='assignment_by_age'), models.Index(condition=models.Q(('state', 'open')), fields=['lane', 'confidence', 'id'], name='assignment_by_confidence')],
                'constraints': [models.UniqueConstraint(fields=('ticket', 'number'), name='assignment_once'), models.UniqueConstraint(condition=models.Q(('reviewer__isnull', False), ('state__in', ['open', 'answered'])), fields=('ticket', 'reviewer'), name='assignment_one_of_a_ticket_per_person'), models.UniqueConstraint(condition=models.Q(('state', 'open'), ('reviewer__isnull', False)), fields=('reviewer',), name='assignment_one_in_hand_per_person'), models.CheckConstraint(condition=models.Q(('blind', False), models.Q(('category', None), ('confidence', None), ('language_model', None), ('reason', ''), ('sentiment', None)), _connector='OR'), name='assignment_blind_tells_nothing'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'answered'), _negated=True), ('reviewer__isnull', False), _connector='OR'), name='assignment_answered_by_somebody'), models.CheckConstraint(condition=models.Q(('purpose', 'review'), ('blind', True), _connector='OR'), name='assignment_independent_is_blind')],
            },
        ),
        migrations.CreateModel(
            name='Audit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('held_out', models.BooleanField(help_text='Never learned from, so that later epochs can be judged by it.')),
                ('double_check', models.BooleanField(default=False, help_text='Drawn to be judged by two people even if the first agrees with the model.')),
                ('category_right', models.BooleanField(null=True)),
                ('sentiment_right', models.BooleanField(null=True)),
                ('flaw', models.CharField(blank=True, help_text='Why it counts as wrong whatever the decisions.', max_length=10)),
                ('judged_at', models.DateTimeField(null=True)),
                ('draw', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='audit', to='classifier.auditdraw')),
                ('epoch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='audits', to='classifier.epoch')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='audits', to='classifier.ticket')),
            ],
            options={
                'ordering': ['pk'],
                'indexes': [models.Index(condition=models.Q(('judged_at', None)), fields=['epoch', 'draw'], name='audit_pending'), models.Index(condition=models.Q(('held_out', True), ('judged_at__isnull', False)), fields=['-id'], name='audit_held_out')],
                'constraints': [models.UniqueConstraint(fields=('epoch', 'ticket'), name='audit_once_per_epoch'), models.CheckConstraint(condition=models.Q(models.Q(('category_right', None), ('judged_at', None), ('sentiment_right', None)), models.Q(('category_right__isnull', False), ('judged_at__isnull', False), ('sentiment_right__isnull', False)), _connector='OR'), name='audit_judged_in_both_parts')],
            },
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('key', models.UUIDField(editable=False, help_text='Identifies an answer that is sent twice.', unique=True)),
                ('batch', models.UUIDField(blank=True, editable=False, null=True)),
                ('verdict', models.CharField(choices=[('accepted', 'accepted'), ('corrected', 'corrected'), ('skipped', 'skipped'), ('escalated', 'escalated'), ('undone', 'undone')], max_length=9, verbose_name='verdict')),
                ('purpose', models.CharField(choices=[('review', 'review'), ('double', 'double labelling'), ('audit', 'audit'), ('sample', 'random sample'), ('adjudication', 'adjudication')], max_length=12, verbose_name='purpose')),
                ('blind', models.BooleanField(verbose_name='suggestions were hidden')),
                ('second_first', models.BooleanField(default=False, verbose_name='second opinion shown first')),
                ('skip_reason', models.CharField(blank=True, choices=[('unclear', "I can't tell what it is about"), ('language', "I don't read this language"), ('expertise', 'Someone else knows this better'), ('no_ticket', 'Not a support ticket')], max_length=10, verbose_name='reason to skip')),
                ('note', classifier.models.ticket.MessageField(blank=True, max_length=2000, verbose_name='note')),
                ('seconds', models.FloatField(null=True, verbose_name='seconds')),
                ('assignment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='decisions', to='review.assignment')),
                ('category', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='classifier.category', verbose_name='category')),
                ('prediction', models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='classifier.prediction', verbose_name='prediction')),
                ('reviewer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to=settings.AUTH_USER_MODEL, verbose_name='reviewer')),
                ('second_opinion', models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='classifier.prediction', verbose_name='second opinion')),
                ('sentiment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='classifier.sentiment', verbose_name='sentiment')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='decisions', to='classifier.ticket')),
                ('undoes', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='undone_by', to='review.decision')),
            ],
            options={
                'verbose_name': 'decision',
                'ordering': ['pk'],
                'permissions': [('adjudicate', 'Can settle escalations and disagreements, and see the agreement between reviewers')],
                'indexes': [models.Index(fields=['reviewer', '-id'], name='decision_by_reviewer'), models.Index(fields=['created_at'], name='decision_by_time'), models.Index(condition=models.Q(('purpose', 'double')), fields=['-id'], name='decision_double')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('category__isnull', False), ('sentiment__isnull', False), ('verdict__in', ['accepted', 'corrected'])), models.Q(models.Q(('verdict__in', ['accepted', 'corrected']), _negated=True), ('category', None), ('sentiment', None)), _connector='OR'), name='decision_labels_where_labelled'), models.CheckConstraint(condition=models.Q(models.Q(('verdict', 'accepted'), _negated=True), ('prediction__isnull', False), _connector='OR'), name='decision_accepts_something'), models.CheckConstraint(condition=models.Q(models.Q(('undoes__isnull', False), ('verdict', 'undone')), models.Q(models.Q(('verdict', 'undone'), _negated=True), ('undoes', None)), _connector='OR'), name='decision_undoes_one'), models.CheckConstraint(condition=models.Q(models.Q(('verdict', 'skipped'), models.Q(('skip_reason', ''), _negated=True)), models.Q(models.Q(('verdict', 'skipped'), _negated=True), ('skip_reason', '')), _connector='OR'), name='decision_skipped_for_a_reason'), models.CheckConstraint(condition=models.Q(models.Q(('verdict', 'escalated'), _negated=True), models.Q(('note', ''), _negated=True), _connector='OR'), name='decision_escalated_says_why'), models.CheckConstraint(condition=models.Q(('seconds', None), ('seconds__gte', 0), _connector='OR'), name='decision_takes_time')],
            },
        ),
        migrations.CreateModel(
            name='DuplicateGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('side', models.CharField(blank=True, choices=[('benchmark', 'benchmark'), ('training', 'training')], max_length=9, verbose_name='side')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('side__in', ['', 'benchmark', 'training'])), name='duplicate_side_known')],
            },
        ),
        migrations.AddField(
            model_name='assignment',
            name='group',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='review.duplicategroup', verbose_name='duplicate group'),
        ),
        migrations.CreateModel(
            name='GoldLabel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', classifier.models.ticket.MessageField(verbose_name='text')),
                ('digest', models.CharField(editable=False, help_text='SHA-256 of the text.', max_length=64, unique=True)),
                ('origin', models.CharField(choices=[('built_in', 'built in'), ('decision', 'decision'), ('blind', 'blind review'), ('audit', 'audit'), ('sample', 'random sample'), ('import', 'import'), ('admin', 'added by an admin')], max_length=20, verbose_name='origin')),
                ('state', models.CharField(choices=[('active', 'active'), ('disputed', 'disputed'), ('contradicted', 'labelled differently elsewhere'), ('withdrawn', 'no longer settled'), ('retired', 'retired')], default='active', max_length=12, verbose_name='state')),
                ('note', models.CharField(blank=True, max_length=300, verbose_name='note')),
                ('predicted_confidence', models.FloatField(editable=False, null=True)),
                ('corrected', models.BooleanField(default=False, editable=False, verbose_name='corrected')),
                ('people', models.PositiveSmallIntegerField(default=1, help_text='Number of people who gave this label independently.', verbose_name='people')),
                ('share', models.FloatField(default=1, editable=False, help_text='Probability with which it was chosen for labelling.', verbose_name='share')),
                ('language', models.CharField(blank=True, max_length=20, verbose_name='language')),
                ('source', models.CharField(blank=True, max_length=50, verbose_name='source')),
                ('labelled_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='labelled')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='added')),
                ('category', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold_labels', to='classifier.category', verbose_name='category')),
                ('group', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold_labels', to='review.duplicategroup', verbose_name='side')),
                ('predicted_category', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.category')),
                ('predicted_sentiment', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.sentiment')),
                ('sentiment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold_labels', to='classifier.sentiment', verbose_name='sentiment')),
                ('ticket', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='gold_labels', to='classifier.ticket')),
            ],
            options={
                'verbose_name': 'gold label',
                'ordering': ['pk'],
                'indexes': [models.Index(fields=['state', 'id'], name='gold_by_state'), models.Index(fields=['labelled_at'], name='gold_by_labelling'), models.Index(fields=['created_at'], name='gold_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(('share__gt', 0), ('share__lte', 1)), name='gold_share_in_0_1'), models.CheckConstraint(condition=models.Q(('category__isnull', False), ('sentiment__isnull', False), _connector='OR'), name='gold_label_of_an_axis'), models.CheckConstraint(condition=models.Q(models.Q(('predicted_category', None), ('predicted_confidence', None), ('predicted_sentiment', None)), models.Q(('predicted_category__isnull', False), ('predicted_confidence__range', (0, 1)), ('predicted_sentiment__isnull', False)), _connector='OR'), name='gold_predicted_all_or_nothing'), models.UniqueConstraint(condition=models.Q(('ticket__isnull', False)), fields=('ticket',), name='gold_once_per_ticket')],
            },
        ),
        migrations.CreateModel(
            name='Band',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.BigIntegerField(db_index=True)),
                ('ticket', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='classifier.ticket')),
                ('group', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='bands', to='review.duplicategroup')),
                ('gold', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='bands', to='review.goldlabel')),
            ],
            options={
                'ordering': ['pk'],
                'indexes': [models.Index(condition=models.Q(('ticket__isnull', False)), fields=['ticket'], name='band_by_ticket'), models.Index(condition=models.Q(('gold__isnull', False)), fields=['gold'], name='band_by_gold_label')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('gold__isnull', False), ('ticket', None)), models.Q(('gold', None), ('ticket__isnull', False)), _connector='OR'), name='band_of_a_ticket_or_a_gold_label')],
            },
        ),
        migrations.CreateModel(
            name='HistoricalAccuracyTarget',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('target', models.FloatField(default=0.97, help_text='Share of auto-accepted tickets, from 0.5 to 0.999.', validators=[django.core.validators.MinValueValidator(0.5), django.core.validators.MaxValueValidator(0.999)], verbose_name='at least right')),
                ('risk', models.FloatField(default=0.05, help_text='Accepted probability that a certificate is false, from 0.001 to 0.5.', validators=[django.core.validators.MinValueValidator(0.001), django.core.validators.MaxValueValidator(0.5)], verbose_name='risk')),
                ('early_share', models.FloatField(default=0.3, help_text='Share of tickets audited while there is little evidence, from 0.03 to 1.', validators=[django.core.validators.MinValueValidator(0.03), django.core.validators.MaxValueValidator(1.0)], verbose_name='audits at first')),
                ('late_share', models.FloatField(default=0.03, help_text='Share of tickets audited once there is plenty, from 0.03 to 1.', validators=[django.core.validators.MinValueValidator(0.03), django.core.validators.MaxValueValidator(1.0)], verbose_name='audits later')),
                ('double_check_share', models.FloatField(default=0.1, help_text='Share of audits that agree with the model and still go to a second person.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='double-checked agreements')),
                ('missed_share', models.FloatField(default=0.1, help_text="Share of the model's errors that audits are assumed to miss, from 0 to 0.5.", validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(0.5)], verbose_name='errors that people overlook')),
                ('by_category', models.BooleanField(default=False, help_text='Shows which categories meet the target on their own; this takes more audits.', verbose_name='certify categories on their own too')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical accuracy target',
                'verbose_name_plural': 'historical accuracy target',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalReviewSettings',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('blind_share', models.FloatField(default=0.1, help_text='Share of tickets reviewed without a suggestion, from 0 to 1.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='blind share')),
                ('double_share', models.FloatField(default=0.05, help_text='Share of tickets that two people label independently, without a suggestion.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='double share')),
                ('sample_share', models.FloatField(default=0.02, help_text='Share of all arriving tickets, auto-accepted ones too, reviewed without a suggestion so that benchmarks stand for all tickets. In certified mode the audits take its place.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='random sample')),
                ('lease_minutes', models.PositiveSmallIntegerField(default=10, help_text='How long a ticket stays with one person before it returns to the queue.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='lease in minutes')),
                ('urgent_minutes', models.PositiveIntegerField(default=60, help_text='Tickets due within this time come first.', verbose_name='urgent within minutes')),
                ('reveal', models.BooleanField(default=False, help_text="Show the model's answer after a blind review is submitted.", verbose_name='reveal after a blind review')),
                ('benchmark_share', models.FloatField(default=0.3, help_text='Share of settled labels held out for benchmarks; the rest is for training.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='benchmark share')),
                ('training_minutes', models.PositiveSmallIntegerField(default=3, help_text='The specialist retrains after 20 new labels or 5%, at most this often.', verbose_name='minutes between trainings')),
                ('seed', models.CharField(default=review.models.review_settings._fresh_seed, editable=False, max_length=64, verbose_name='seed')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical review settings',
                'verbose_name_plural': 'historical review settings',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='LabelIssue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('self_confidence', models.FloatField(help_text='The probability of the label given, category times sentiment.')),
                ('confirmed_at', models.DateTimeField(null=True, verbose_name='confirmed')),
                ('category', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.category')),
                ('confirmed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('gold', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='label_issue', to='review.goldlabel')),
                ('sentiment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.sentiment')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='classifier.specialistversion')),
            ],
            options={
                'ordering': ['self_confidence', 'pk'],
                'indexes': [models.Index(condition=models.Q(('confirmed_at', None)), fields=['self_confidence', 'id'], name='label_issue_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('self_confidence__range', (0, 1))), name='label_issue_self_confidence_in_0_1')],
            },
        ),
        migrations.CreateModel(
            name='Ledger',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('about', models.CharField(choices=[('both', 'category and sentiment'), ('category', 'the category')], max_length=10)),
                ('target', models.FloatField(help_text='The accuracy target.')),
                ('error', models.FloatField(help_text='The share of errors among audits that is tested.')),
                ('target_risk', models.FloatField()),
                ('risk', models.FloatField(help_text='The part of the risk that this claim may spend.')),
                ('claim', models.PositiveIntegerField(help_text='How many claims came before.')),
                ('grid', models.JSONField(help_text='Thresholds in the order in which they are tested, strictest first.')),
                ('coverage', models.JSONField(help_text='The share of tickets at or above each threshold when the grid was made.')),
                ('wealth', models.JSONField(help_text='Log wealth by threshold and bet.')),
                ('reached', models.JSONField(help_text='By threshold, whether its wealth has ever sufficed.')),
                ('until', models.BigIntegerField(default=0, help_text='The last draw counted for good; 0: count from the start.')),
                ('drift_monitor', models.JSONField(default=dict, help_text='State of the drift monitor.')),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('closed_at', models.DateTimeField(null=True)),
                ('epoch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ledgers', to='classifier.epoch')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('epoch',), name='ledger_one_open_per_epoch')],
            },
        ),
        migrations.CreateModel(
            name='Certificate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('threshold', models.FloatField()),
                ('coverage', models.FloatField()),
                ('audits', models.PositiveIntegerField()),
                ('errors', models.PositiveIntegerField()),
                ('until', models.BigIntegerField(help_text='The last draw that it rests on.')),
                ('granted_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(null=True)),
                ('ended_by', models.CharField(blank=True, choices=[('extended', 'a lower threshold was certified'), ('alarm', 'revoked by an alarm'), ('changed', 'models, taxonomy, scorer or target changed'), ('corrected', 'its audits were corrected')], max_length=10)),
                ('ledger', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='certificates', to='review.ledger')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('ledger',), name='certificate_one_in_force'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_by', '')), models.Q(('ended_at__isnull', False), models.Q(('ended_by', ''), _negated=True)), _connector='OR'), name='certificate_ends_for_a_reason')],
            },
        ),
        migrations.CreateModel(
            name='CarriedAudit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.FloatField()),
                ('wrong', models.BooleanField(help_text='As long as nobody has answered, it counts as wrong.')),
                ('pending', models.BooleanField(default=False)),
                ('audit', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='review.audit')),
                ('category', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.category')),
                ('ledger', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='carried', to='review.ledger')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('ledger', 'audit'), name='carried_once')],
            },
        ),
        migrations.CreateModel(
            name='ReviewSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('blind_share', models.FloatField(default=0.1, help_text='Share of tickets reviewed without a suggestion, from 0 to 1.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='blind share')),
                ('double_share', models.FloatField(default=0.05, help_text='Share of tickets that two people label independently, without a suggestion.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='double share')),
                ('sample_share', models.FloatField(default=0.02, help_text='Share of all arriving tickets, auto-accepted ones too, reviewed without a suggestion so that benchmarks stand for all tickets. In certified mode the audits take its place.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='random sample')),
                ('lease_minutes', models.PositiveSmallIntegerField(default=10, help_text='How long a ticket stays with one person before it returns to the queue.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='lease in minutes')),
                ('urgent_minutes', models.PositiveIntegerField(default=60, help_text='Tickets due within this time come first.', verbose_name='urgent within minutes')),
                ('reveal', models.BooleanField(default=False, help_text="Show the model's answer after a blind review is submitted.", verbose_name='reveal after a blind review')),
                ('benchmark_share', models.FloatField(default=0.3, help_text='Share of settled labels held out for benchmarks; the rest is for training.', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(1.0)], verbose_name='benchmark share')),
                ('training_minutes', models.PositiveSmallIntegerField(default=3, help_text='The specialist retrains after 20 new labels or 5%, at most this often.', verbose_name='minutes between trainings')),
                ('ordered_at', models.DateTimeField(editable=False, help_text='When the queue was last put in order.', null=True)),
                ('gathered_until', models.DateTimeField(editable=False, help_text='Up to when decisions have become gold.', null=True)),
                ('seed', models.CharField(default=review.models.review_settings._fresh_seed, editable=False, max_length=64, verbose_name='seed')),
            ],
            options={
                'verbose_name': 'review settings',
                'verbose_name_plural': 'review settings',
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='review_settings_is_one'), models.CheckConstraint(condition=models.Q(('benchmark_share__range', (0, 1)), ('blind_share__range', (0, 1)), ('double_share__range', (0, 1)), ('sample_share__range', (0, 1))), name='review_settings_shares_in_0_1'), models.CheckConstraint(condition=models.Q(('lease_minutes__gte', 1)), name='review_settings_leases_last')],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('available_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='next try')),
                ('owner', models.UUIDField(editable=False, help_text='A new value each time someone takes the row.', null=True)),
                ('state', models.CharField(choices=[('running', 'running'), ('stopped', 'stopped'), ('finished', 'finished')], default='running', max_length=8, verbose_name='state')),
                ('items_count', models.PositiveIntegerField(verbose_name='items')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('note', models.CharField(blank=True, help_text='Why it was stopped.', max_length=300, verbose_name='note')),
                ('comparisons', models.JSONField(default=list, help_text='Pairwise comparisons of its models.')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'benchmark run',
                'ordering': ['-pk'],
                'permissions': [('benchmark', 'Can compare models, and export and import labels'), ('set_threshold', 'Can set the confidence from which tickets are auto-accepted'), ('teach', 'Can view the specialist, check label issues and deploy versions')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', False), ('state', 'finished')), models.Q(models.Q(('state', 'finished'), _negated=True), ('finished_at__isnull', True)), _connector='OR'), name='run_finished_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='Contender',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.CharField(blank=True, help_text='Of a draft its name.', max_length=80, verbose_name='contract')),
                ('examples', models.PositiveSmallIntegerField(default=0, help_text='Number of similar tickets included in each prompt.', verbose_name='solved tickets in the prompt')),
                ('baseline', models.BooleanField(default=False, help_text='Later results are compared with this one.', verbose_name='baseline')),
                ('figures', models.JSONField(null=True)),
                ('contract', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.contractversion', verbose_name='contract')),
                ('language_model', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.languagemodel', verbose_name='model')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='contenders', to='review.run')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('run', 'language_model', 'contract', 'examples'), name='contender_once'), models.UniqueConstraint(condition=models.Q(('baseline', True)), fields=('baseline',), name='contender_one_baseline')],
            },
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(editable=False, help_text='SHA-256 of its content.', max_length=64, unique=True, verbose_name='digest')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='taken')),
                ('filters', models.JSONField(default=dict)),
                ('labels', models.JSONField(default=dict, help_text='Per axis: key, name and description of each label.')),
                ('counts', models.JSONField(default=dict, help_text='Per kind of count, how many items have each value.')),
                ('items_count', models.PositiveIntegerField(default=0, verbose_name='labels')),
                ('complete', models.BooleanField(default=True, editable=False)),
                ('contract', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='classifier.contractversion')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'snapshot',
                'ordering': ['-pk'],
            },
        ),
        migrations.AddField(
            model_name='run',
            name='snapshot',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='review.snapshot', verbose_name='snapshot'),
        ),
        migrations.CreateModel(
            name='LabelImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('available_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='next try')),
                ('owner', models.UUIDField(editable=False, help_text='A new value each time someone takes the row.', null=True)),
                ('name', models.CharField(max_length=200, verbose_name='file')),
                ('size', models.BigIntegerField(help_text='Bytes of the file.')),
                ('read', models.BigIntegerField(default=0, help_text='Bytes read so far.')),
                ('names', models.JSONField(default=list, help_text="The names of the file's columns.")),
                ('columns', models.JSONField(default=dict, help_text='By field of a record, the column chosen for it.')),
                ('labels', models.JSONField(default=dict, help_text='By a name in the file, the label chosen for it.')),
                ('dry_run', models.BooleanField(default=True, verbose_name='dry run')),
                ('state', models.CharField(choices=[('running', 'running'), ('finished', 'finished'), ('failed', 'failed')], default='running', max_length=8, verbose_name='state')),
                ('report', models.JSONField(default=dict)),
                ('error', models.TextField(blank=True, verbose_name='error')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='started')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'import of labels',
                'verbose_name_plural': 'imports of labels',
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='LabelImportPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('content', models.BinaryField()),
                ('label_import', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='review.labelimport')),
            ],
            options={
                'ordering': ['label_import', 'position'],
                'constraints': [models.UniqueConstraint(fields=('label_import', 'position'), name='label_import_part_once')],
            },
        ),
        migrations.CreateModel(
            name='SnapshotItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('category', models.BigIntegerField(null=True)),
                ('sentiment', models.BigIntegerField(null=True)),
                ('side', models.CharField(choices=[('benchmark', 'benchmark'), ('training', 'training')], max_length=9)),
                ('origin', models.CharField(max_length=20)),
                ('corrected', models.BooleanField()),
                ('people', models.PositiveSmallIntegerField()),
                ('share', models.FloatField()),
                ('language', models.CharField(blank=True, max_length=20)),
                ('source', models.CharField(blank=True, max_length=50)),
                ('labelled_at', models.DateTimeField()),
                ('predicted_category', models.BigIntegerField(null=True)),
                ('predicted_sentiment', models.BigIntegerField(null=True)),
                ('predicted_confidence', models.FloatField(null=True)),
                ('gold', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='review.goldlabel')),
                ('snapshot', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='review.snapshot')),
            ],
            options={
                'ordering': ['snapshot', 'position'],
                'constraints': [models.UniqueConstraint(fields=('snapshot', 'position'), name='snapshot_item_once')],
            },
        ),
        migrations.CreateModel(
            name='Result',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.BigIntegerField(null=True)),
                ('sentiment', models.BigIntegerField(null=True)),
                ('answer', models.CharField(blank=True, help_text='The labels by name, as answered.', max_length=500)),
                ('category_right', models.BooleanField()),
                ('sentiment_right', models.BooleanField()),
                ('confidence', models.FloatField(null=True)),
                ('reasoning', models.TextField(blank=True)),
                ('failure', models.CharField(blank=True, choices=[('broken_json', 'broken_json'), ('ambiguous', 'ambiguous'), ('wrong_keys', 'wrong_keys'), ('unknown_label', 'unknown_label'), ('bad_confidence', 'bad_confidence'), ('bad_reasoning', 'bad_reasoning'), ('cut_off', 'cut_off'), ('refused', 'refused'), ('timeout', 'timeout'), ('unreachable', 'unreachable'), ('rate_limited', 'rate_limited'), ('server_error', 'server_error'), ('foreign_reply', 'foreign_reply'), ('rejected', 'rejected'), ('no_key', 'no_key'), ('unauthorized', 'unauthorized'), ('payment_required', 'payment_required'), ('quota', 'quota'), ('model_gone', 'model_gone'), ('broken_model', 'broken_model'), ('untrained', 'untrained'), ('budget', 'budget'), ('given_up', 'given_up'), ('crashed', 'crashed')], max_length=20)),
                ('detail', classifier.models.ticket.MessageField(blank=True)),
                ('repaired', models.BooleanField(default=False, help_text='Whether the reply had to be repaired to be read.')),
                ('latency_ms', models.FloatField()),
                ('cost', models.DecimalField(decimal_places=8, max_digits=14)),
                ('contender', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='results', to='review.contender')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='review.snapshotitem')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('contender', 'item'), name='result_once'), models.CheckConstraint(condition=models.Q(models.Q(('confidence__isnull', False), ('failure', '')), models.Q(models.Q(('failure', ''), _negated=True), ('confidence', None)), _connector='OR'), name='result_answers_or_fails')],
            },
        ),
        migrations.CreateModel(
            name='Alarm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('errors', 'audits find more errors'), ('agreement', 'second model family agrees less often'), ('scores', 'answers are less certain'), ('unknown', 'more tickets unlike any known ticket'), ('labels', 'the mix of categories has changed')], max_length=10)),
                ('state', models.CharField(choices=[('open', 'under investigation'), ('cleared', 'cleared by audits'), ('confirmed', 'confirmed, certificate revoked')], default='open', max_length=9)),
                ('since', models.BigIntegerField(help_text='The draw at which the change seems to have begun.')),
                ('at', models.BigIntegerField(help_text='The draw at which it was detected.')),
                ('risk', models.FloatField(help_text='The part of the risk that clearing it may spend.')),
                ('figures', models.JSONField(default=dict)),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('closed_at', models.DateTimeField(null=True)),
                ('emailed_at', models.DateTimeField(help_text='When the leads were e-mailed.', null=True)),
                ('epoch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='alarms', to='classifier.epoch')),
                ('seen_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('epoch',), name='alarm_one_open_per_epoch'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='alarm_closed_when_settled')],
            },
        ),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
