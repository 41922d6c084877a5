from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"

    def ready(self) -> None:
        from classifier.erasure import erasing
        from classifier.models.ticket import moved, recounting
        from classifier.why import vouching

        from . import erasure, history, opening, tasks
        from .assurance.audits import found
        from .assurance.vouching import on_vouching

        moved.connect(opening.on_moved)
        moved.connect(tasks.on_moved)
        found.connect(tasks.on_found)
        recounting.connect(history.on_recounting)
        vouching.connect(on_vouching)
        erasing.connect(erasure.on_erasing)
