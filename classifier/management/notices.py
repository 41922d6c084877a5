"""Warnings that commands print first."""

from django.core.management.base import BaseCommand

from classifier.models import Gate


def warn_of_fallback_model(command: BaseCommand) -> None:
    """Warn if the embedded model replaces a model whose key is missing, or a model is paused."""
    if gate := Gate.objects.with_models().first():
        for notice in filter(None, [gate.notice, *gate.pause_notices]):
            command.stderr.write(command.style.WARNING(notice))
