from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ClassifierConfig(AppConfig):
    name = "classifier"

    def ready(self) -> None:
        from . import search, tasks
        from .models.outbox import queued
        from .models.ticket import arrived, moved
        from .outbox import announcing

        arrived.connect(tasks.on_arrival)
        moved.connect(announcing.on_moved)
        queued.connect(tasks.on_queued)
        post_migrate.connect(search.mend_index, sender=self)
