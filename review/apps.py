from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"

    def ready(self) -> None:
        from classifier.models.ticket import history_requested, state_changed
        from classifier.pipeline.verdict_explanation import explanation_requested
        from classifier.privacy.erasure import erasure_started
        from review import erasure
        from review.certification import tasks
        from review.certification.verdict_certificate import explain_certificate
        from review.workflow import assigning, history
        from review.workflow.audits import findings_changed

        state_changed.connect(assigning.update_assignments)
        state_changed.connect(tasks.certify_after_state_change)
        findings_changed.connect(tasks.certify_after_finding)
        history_requested.connect(history.decisions_for_history)
        explanation_requested.connect(explain_certificate)
        erasure_started.connect(erasure.redact_review_data)
