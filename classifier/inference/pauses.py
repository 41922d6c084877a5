"""Pauses models whose provider answers nobody, and tries them again with growing intervals until they answer."""

import logging
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Greatest, Now

from classifier.contract.types import ClassifierError, ProviderFault
from classifier.inference import pause_emails
from classifier.inference.health_check import has_answered, ping
from classifier.models import Gate, LanguageModel, Pause
from classifier.models.contract import EmptyTaxonomy

logger = logging.getLogger(__name__)

FIRST_PROBE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=10)


def begin(language_model: LanguageModel, fault: ProviderFault) -> None:
    """Have tickets wait for this model until it answers a probe. Changes nothing if it is already paused."""
    values = {"kind": fault.kind, "detail": str(fault), "probe_at": Now() + max(FIRST_PROBE, _asked_for(fault))}
    _pause, begun = Pause.objects.get_or_create(language_model=language_model, defaults=values)
    if begun:
        logger.error("%s of %s is paused: %s", language_model, language_model.provider, fault)


def probe_due() -> bool:
    """Try paused models that are due, with one request each. Returns whether any answered, which ends its pause."""
    answered = False
    for pause in Pause.objects.due().select_related("language_model__provider"):
        if not Gate.current().asks(pause.language_model):
            pause.delete()
        elif _take_turn(pause):
            if _answers(pause):
                answered = True
            else:
                pause_emails.send_once(pause)
    return answered


def _take_turn(pause: Pause) -> bool:
    """Set the time of the next probe. Returns False if another process has done so and probes."""
    longer = min(FIRST_PROBE * 2 ** (pause.probes + 1), LONGEST_PAUSE)
    mine = Pause.objects.due().filter(pk=pause.pk, probes=pause.probes)
    return bool(mine.update(probes=F("probes") + 1, probe_at=Now() + longer))


def _answers(pause: Pause) -> bool:
    """Whether the model answers one request, which ends its pause; if the refusal names a time, that is waited for."""
    try:
        result = ping(pause.language_model)
    except EmptyTaxonomy:
        return False
    if has_answered(result):
        return True
    if isinstance(result, ClassifierError):
        Pause.objects.filter(pk=pause.pk).update(probe_at=Greatest(F("probe_at"), Now() + _asked_for(result)))
    return False


def _asked_for(error: ClassifierError) -> timedelta:
    """The pause that the endpoint asked for."""
    return timedelta(seconds=error.retry_after or 0)
