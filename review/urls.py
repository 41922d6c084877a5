from django.urls import path

from review.benchmark import draft_views
from review.benchmark import views as benchmark_views
from review.certification import views as certification_views
from review.datasets import views as datasets_views
from review.preferences import views as preferences_views
from review.reports import views as reports_views
from review.screen import views as screen_views
from review.specialist import label_issue_views, topic_views
from review.specialist import views as specialist_views
from review.worklist import my_decisions_views
from review.worklist import views as worklist_views

app_name = "review"

urlpatterns = [
    # /review/
    path("", screen_views.screen, name="screen"),
    path("decide/", screen_views.decide, name="decide"),
    path("undo/", screen_views.undo, name="undo"),
    path("renew-lease/", screen_views.renew_lease, name="renew_lease"),
    path("reoffer-skipped/", screen_views.reoffer_skipped, name="reoffer_skipped"),
    path("take/<int:pk>/", screen_views.take, name="take"),
    path("duplicates/<int:pk>/", screen_views.duplicates, name="duplicates"),
    path("similar/<int:pk>/", screen_views.similar, name="similar"),
    # /review/queue/
    path("queue/", worklist_views.queue, name="queue"),
    path("queue/bulk-accept/", worklist_views.bulk_accept, name="bulk_accept"),
    # /review/my-decisions/
    path("my-decisions/", my_decisions_views.my_decisions_page, name="my_decisions"),
    path("my-decisions/<int:pk>/reopen/", my_decisions_views.reopen, name="reopen"),
    # /review/lead/
    path("lead/", reports_views.lead, name="lead"),
    path("lead/screen/", screen_views.lead_screen, name="lead_screen"),
    # /review/certification/
    path("certification/", certification_views.certification, name="certification"),
    path("certification/evidence/", certification_views.evidence, name="evidence"),
    path("certification/accuracy-target/", certification_views.set_accuracy_target, name="set_accuracy_target"),
    path("certification/gate-mode/", certification_views.set_gate_mode, name="set_gate_mode"),
    path("certification/alarms/<int:pk>/reopen/", certification_views.reopen_tickets, name="reopen_tickets"),
    path("certification/alarms/<int:pk>/acknowledge/", certification_views.acknowledge_alarm, name="acknowledge_alarm"),
    # /review/specialist/
    path("specialist/", specialist_views.specialist, name="specialist"),
    path("specialist/train/", specialist_views.train_specialist, name="train_specialist"),
    path("specialist/unpin/", specialist_views.unpin_version, name="unpin_version"),
    path("specialist/<int:pk>/deploy/", specialist_views.deploy_version, name="deploy_version"),
    # /review/label-issues/
    path("label-issues/", label_issue_views.label_issues, name="label_issues"),
    path("label-issues/held-out/", label_issue_views.dispute_held_out, name="dispute_held_out"),
    path("label-issues/<int:pk>/", label_issue_views.label_issue, name="label_issue"),
    path("label-issues/<int:pk>/keep/", label_issue_views.keep_label, name="keep_label"),
    path("label-issues/<int:pk>/correct/", label_issue_views.correct_label, name="correct_label"),
    path("label-issues/<int:pk>/dispute/", label_issue_views.dispute_label, name="dispute_label"),
    # /review/preferences/
    path("preferences/", preferences_views.preferences, name="preferences"),
    # /review/datasets/
    path("datasets/", datasets_views.datasets, name="datasets"),
    path("datasets/create-snapshot/", datasets_views.create_snapshot, name="create_snapshot"),
    path("datasets/import/", datasets_views.import_labels, name="import_labels"),
    path("datasets/imports/<int:pk>/", datasets_views.label_import, name="label_import"),
    path("datasets/imports/<int:pk>/read/", datasets_views.read_again, name="read_again"),
    path("datasets/imports/<int:pk>/draft/", datasets_views.draft_unknown_labels, name="draft_unknown_labels"),
    path("datasets/<slug:digest>/", datasets_views.snapshot, name="snapshot"),
    path("datasets/<slug:digest>/delete/", datasets_views.delete_snapshot, name="delete_snapshot"),
    path("datasets/<slug:digest>/download/", datasets_views.download, name="download"),
    path("datasets/<slug:digest>/manifest/", datasets_views.manifest, name="manifest"),
    path("datasets/<slug:digest>/labelling-config/", datasets_views.labelling_config, name="labelling_config"),
    # /review/benchmark/
    path("benchmark/", benchmark_views.benchmark, name="benchmark"),
    path("benchmark/start/", benchmark_views.start_run, name="start_run"),
    path("benchmark/unpin/", benchmark_views.unpin_baseline, name="unpin_baseline"),
    path("benchmark/answers/<int:pk>/dispute/", benchmark_views.dispute_label, name="dispute_benchmark_label"),
    path("benchmark/<int:pk>/", benchmark_views.benchmark_run, name="benchmark_run"),
    path("benchmark/<int:pk>/stop/", benchmark_views.stop_run, name="stop_run"),
    path("benchmark/<int:pk>/resume/", benchmark_views.resume_run, name="resume_run"),
    path("benchmark/<int:run_pk>/<int:pk>/", benchmark_views.contender, name="contender"),
    path("benchmark/<int:run_pk>/<int:pk>/answers/", benchmark_views.answers, name="answers"),
    path("benchmark/<int:run_pk>/<int:pk>/pin/", benchmark_views.pin_baseline, name="pin_baseline"),
    path("benchmark/<int:run_pk>/<int:pk>/threshold/", benchmark_views.set_threshold, name="set_threshold"),
    path("benchmark/<int:run_pk>/<int:pk>/changes/", draft_views.draft_changes, name="draft_changes"),
    # /review/emerging-topics/
    path("emerging-topics/", topic_views.emerging_topics, name="emerging_topics"),
    path("emerging-topics/<int:pk>/", topic_views.topic, name="topic"),
    path("emerging-topics/<int:pk>/draft/", topic_views.draft_topic, name="draft_topic"),
    path("emerging-topics/drafted/<int:pk>/", topic_views.drafted_category, name="drafted_category"),
    path(
        "emerging-topics/drafted/<int:pk>/reclassify/",
        topic_views.reclassify_for_category,
        name="reclassify_for_category",
    ),
    # /review/confusable-categories/
    path("confusable-categories/", topic_views.confusable_categories, name="confusable_categories"),
]
