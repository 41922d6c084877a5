from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"

    def ready(self) -> None:
        from classifier.models.ticket import moved, recounting

        from . import history, opening

        moved.connect(opening.on_moved)
        recounting.connect(history.on_recounting)
