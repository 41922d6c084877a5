from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"

    def ready(self) -> None:
        from classifier.models.ticket import history_requested, state_changed
        from classifier.pipeline.verdict_explanation import explaining
        from classifier.privacy.erasure import erasing
        from review import erasure
        from review.certification import tasks
        from review.certification.verdict_certificate import on_vouching
        from review.workflow import assigning, history
        from review.workflow.audits import findings_changed

        state_changed.connect(assigning.on_moved)
        state_changed.connect(tasks.on_moved)
        findings_changed.connect(tasks.on_found)
        history_requested.connect(history.on_recounting)
        explaining.connect(on_vouching)
        erasing.connect(erasure.on_erasing)
