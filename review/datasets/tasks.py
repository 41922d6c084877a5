"""Background tasks of data sets."""

from django_tasks import task

from classifier.background import Priority
from review.datasets import label_imports


@task(priority=Priority.LOW)
def run_label_import(pk: int) -> None:
    label_imports.run(pk)
