from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ClassifierConfig(AppConfig):
    name = "classifier"

    def ready(self) -> None:
        from classifier import tasks
        from classifier.database import search
        from classifier.integrations.webhooks import events
        from classifier.models.outbox import delivery_queued
        from classifier.models.ticket import state_changed, tickets_arrived

        tickets_arrived.connect(tasks.on_arrival)
        state_changed.connect(events.on_state_changed)
        delivery_queued.connect(tasks.on_queued)
        post_migrate.connect(search.mend_index, sender=self)
