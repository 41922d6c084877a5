"""Warnings that commands print first."""

from django.core.management.base import BaseCommand

from classifier.models import Gate


def warn_of_fallback_model(command: BaseCommand) -> None:
    """Warn if the embedded model replaces a model whose key is missing."""
    gate = Gate.objects.select_related("primary__provider").first()
    if gate and gate.notice:
        command.stderr.write(command.style.WARNING(gate.notice))
