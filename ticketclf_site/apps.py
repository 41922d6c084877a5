from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "ticketclf_site"

    def ready(self) -> None:
        from axes.models import AccessAttempt
        from django.conf import settings
        from django.db.models.signals import pre_save
        from django_tasks.signals import task_finished, task_started

        from ticketclf_site.observability import logs
        from ticketclf_site.sign_in import throttle

        pre_save.connect(throttle.drop_form_data, sender=AccessAttempt)
        task_started.connect(logs.on_task_started)
        task_finished.connect(logs.on_task_finished)
        if settings.SENTRY_DSN:
            from ticketclf_site.observability import sentry

            sentry.start(settings.SENTRY_DSN)
