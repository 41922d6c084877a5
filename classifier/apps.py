from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ClassifierConfig(AppConfig):
    name = "classifier"

    def ready(self) -> None:
        from classifier import tasks
        from classifier.database import search
        from classifier.integrations.webhooks import events
        from classifier.models.outbox import queued
        from classifier.models.ticket import arrived, moved

        arrived.connect(tasks.on_arrival)
        moved.connect(events.on_moved)
        queued.connect(tasks.on_queued)
        post_migrate.connect(search.mend_index, sender=self)
