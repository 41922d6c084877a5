"""A provider that can be mended, and a worker's turn."""

from dataclasses import dataclass

from django.db.models.functions import Now

from classifier import tasks
from classifier.models import Pause
from classifier.pipeline import runner
from tests.background import queued
from tests.servers import Reply, Request


@dataclass
class Account:
    """Replies of a provider, which can change."""

    reply: Reply

    def __call__(self, request: Request) -> Reply:
        return self.reply


def work() -> None:
    """Sweep and classify, as a worker does, with every probe due."""
    Pause.objects.update(probe_at=Now())
    tasks.sweep()
    if queued(tasks.probe_paused_models.module_path):
        tasks.probe_paused_models.func()
    while runner.classify_next_batch():
        pass
