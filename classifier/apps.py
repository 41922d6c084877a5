from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ClassifierConfig(AppConfig):
    name = "classifier"

    def ready(self) -> None:
        from . import search, tasks
        from .models.ticket import arrived

        arrived.connect(tasks.on_arrival)
        post_migrate.connect(search.mend_index, sender=self)
