from django.apps import AppConfig


class ClassifierConfig(AppConfig):
    name = "classifier"

    def ready(self) -> None:
        from . import tasks
        from .models.ticket import arrived

        arrived.connect(tasks.on_arrival)
