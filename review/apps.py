from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"

    def ready(self) -> None:
        from classifier.models.ticket import history_requested, state_changed
        from classifier.pipeline.verdict_explanation import explaining
        from classifier.privacy.erasure import erasing
        from review import erasure
        from review.certification import tasks
        from review.certification.verdict_certificate import explain_certificate
        from review.workflow import assigning, history
        from review.workflow.audits import findings_changed

        state_changed.connect(assigning.update_assignments)
        state_changed.connect(tasks.certify_after_state_change)
        findings_changed.connect(tasks.certify_after_finding)
        history_requested.connect(history.decisions_for_history)
        explaining.connect(explain_certificate)
        erasing.connect(erasure.redact_review_data)
