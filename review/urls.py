from django.urls import path

from .views import (
    assurance,
    benchmark,
    datasets,
    doubts,
    drafting,
    lead,
    mine,
    preferences,
    screen,
    specialist,
    table,
    topics,
)

app_name = "review"

urlpatterns = [
    # /review/
    path("", screen.screen, name="screen"),
    path("decide/", screen.decide, name="decide"),
    path("undo/", screen.undo, name="undo"),
    path("keep/", screen.keep, name="keep"),
    path("look-again/", screen.look_again, name="look_again"),
    path("take/<int:pk>/", screen.take, name="take"),
    path("alike/<int:pk>/", screen.alike, name="alike"),
    path("similar/<int:pk>/", screen.similar, name="similar"),
    # /review/queue/
    path("queue/", table.queue, name="queue"),
    path("queue/accept/", table.accept, name="accept"),
    # /review/mine/
    path("mine/", mine.mine, name="mine"),
    path("mine/<int:pk>/reopen/", mine.reopen, name="reopen"),
    # /review/lead/
    path("lead/", lead.lead, name="lead"),
    path("lead/work/", screen.work, name="work"),
    # /review/assurance/
    path("assurance/", assurance.assurance, name="assurance"),
    path("assurance/evidence/", assurance.evidence, name="evidence"),
    path("assurance/promise/", assurance.state_promise, name="state_promise"),
    path("assurance/mode/", assurance.set_mode, name="set_mode"),
    path("assurance/alarms/<int:pk>/look-back/", assurance.look_back, name="look_back"),
    path("assurance/alarms/<int:pk>/seen/", assurance.acknowledge, name="acknowledge"),
    # /review/specialist/
    path("specialist/", specialist.specialist, name="specialist"),
    path("specialist/train/", specialist.train_now, name="train_now"),
    path("specialist/serve-best/", specialist.serve_best, name="serve_best"),
    path("specialist/<int:pk>/serve/", specialist.serve_version, name="serve_version"),
    # /review/doubts/
    path("doubts/", doubts.doubts, name="doubts"),
    path("doubts/<int:pk>/", doubts.doubt, name="doubt"),
    path("doubts/<int:pk>/keep/", doubts.keep_label, name="keep_label"),
    path("doubts/<int:pk>/correct/", doubts.correct_label, name="correct_label"),
    path("doubts/<int:pk>/dispute/", doubts.dispute_label, name="dispute_label"),
    # /review/preferences/
    path("preferences/", preferences.preferences, name="preferences"),
    # /review/datasets/
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/freeze/", datasets.freeze, name="freeze"),
    path("datasets/take-in/", datasets.take_in, name="take_in"),
    path("datasets/<slug:digest>/", datasets.snapshot, name="snapshot"),
    path("datasets/<slug:digest>/download/", datasets.download, name="download"),
    path("datasets/<slug:digest>/manifest/", datasets.manifest, name="manifest"),
    path("datasets/<slug:digest>/labelling/", datasets.labelling, name="labelling"),
    # /review/benchmark/
    path("benchmark/", benchmark.benchmark, name="benchmark"),
    path("benchmark/start/", benchmark.start_run, name="start_run"),
    path("benchmark/unpin/", benchmark.unpin, name="unpin"),
    path("benchmark/answers/<int:pk>/dispute/", benchmark.dispute, name="dispute"),
    path("benchmark/<int:pk>/", benchmark.run, name="run"),
    path("benchmark/<int:pk>/stop/", benchmark.stop_run, name="stop_run"),
    path("benchmark/<int:pk>/resume/", benchmark.resume_run, name="resume_run"),
    path("benchmark/<int:run_pk>/<int:pk>/", benchmark.contender, name="contender"),
    path("benchmark/<int:run_pk>/<int:pk>/answers/", benchmark.answers, name="answers"),
    path("benchmark/<int:run_pk>/<int:pk>/pin/", benchmark.pin, name="pin"),
    path("benchmark/<int:run_pk>/<int:pk>/threshold/", benchmark.threshold, name="threshold"),
    path("benchmark/<int:run_pk>/<int:pk>/changes/", drafting.changes, name="draft_changes"),
    # /review/topics/
    path("topics/", topics.topics, name="topics"),
    path("topics/<int:pk>/", topics.topic, name="topic"),
    path("topics/<int:pk>/draft/", topics.draft_topic, name="draft_topic"),
    path("topics/drafted/<int:pk>/", topics.drafted, name="drafted"),
    path("topics/drafted/<int:pk>/classify/", topics.classify_drafted, name="classify_drafted"),
    # /review/overlaps/
    path("overlaps/", topics.overlaps, name="overlaps"),
]
