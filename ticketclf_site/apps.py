from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "ticketclf_site"

    def ready(self) -> None:
        from axes.models import AccessAttempt
        from django.db.models.signals import pre_save

        from . import throttle

        pre_save.connect(throttle.forget_form, sender=AccessAttempt)
