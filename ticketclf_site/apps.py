from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "ticketclf_site"

    def ready(self) -> None:
        from allauth.account.signals import user_logged_in
        from axes.models import AccessAttempt
        from django.conf import settings
        from django.db.models.signals import pre_save
        from django_tasks.signals import task_finished, task_started

        from ticketclf_site.observability import logs
        from ticketclf_site.sign_in import known_device, throttle

        user_logged_in.connect(known_device.remember)
        pre_save.connect(throttle.drop_form_data, sender=AccessAttempt)
        task_started.connect(logs.on_task_started)
        task_finished.connect(logs.on_task_finished)
        if settings.SENTRY_DSN:
            from ticketclf_site.observability import sentry

            sentry.start(settings.SENTRY_DSN)
