"""Pauses of models whose provider answers nobody: tickets wait meanwhile."""

from django.db import models
from django.db.models.functions import Now

from classifier.contract.types import FailureKind
from classifier.models.language_models import LanguageModel
from classifier.models.ticket import MessageField

_CONCERNS_PROVIDER = {
    FailureKind.NO_KEY,
    FailureKind.UNAUTHORIZED,
    FailureKind.PAYMENT_REQUIRED,
    FailureKind.QUOTA,
    FailureKind.UNREACHABLE,
}


class PauseQuerySet(models.QuerySet["Pause"]):
    def due(self) -> "PauseQuerySet":
        """Pauses of models that are to be tried again."""
        return self.filter(probe_at__lte=Now())


class Pause(models.Model):
    """Begins with a fault of the provider and ends once a probe is answered.

    What is wrong with the provider's account or address pauses all of its models; anything else pauses one model.
    """

    language_model = models.OneToOneField(LanguageModel, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, help_text="A failure kind.")
    detail = MessageField(help_text="What is wrong and what to do, with the provider's own words.")
    began_at = models.DateTimeField(db_default=Now())
    probe_at = models.DateTimeField(help_text="When the model is tried again.")
    probes = models.PositiveSmallIntegerField(default=0)
    emailed_at = models.DateTimeField(null=True)

    objects = PauseQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.language_model}: {self.detail}"

    def stops(self, language_model: LanguageModel) -> bool:
        """Whether this model is not asked now."""
        if self.kind in _CONCERNS_PROVIDER:
            return self.language_model.provider_id == language_model.provider_id
        return self.language_model_id == language_model.pk
