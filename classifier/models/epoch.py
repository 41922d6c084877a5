"""Epochs: the frozen combination of models and rules under which verdicts were reached."""

import hashlib
import secrets

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models.contract import ContractVersion
from classifier.models.gate import Criterion, GateMode
from classifier.models.language_models import LanguageModel
from classifier.models.scoring import Score, Scorer
from classifier.models.specialist import SpecialistVersion
from classifier.scoring.scorer import Probabilities


def _fresh_seed() -> str:
    return secrets.token_hex(16)


def drawn_number(seed: str, key: str) -> float:
    """The number in [0, 1) that this seed draws for the key."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


class EpochQuerySet(models.QuerySet["Epoch"]):
    def running(self) -> "EpochQuerySet":
        return self.filter(ended_at=None)

    def certifying(self) -> "Epoch | None":
        """The running epoch in certified mode, if any."""
        running = (
            self.running()
            .filter(mode=GateMode.CERTIFIED)
            .select_related("language_model__provider", "contract", "scorer__language_model")
        )
        return running.order_by("-pk").first()


class Epoch(models.Model):
    """A frozen combination of models, contract and the rule that decides auto-accept.

    In certified mode the thresholds move with the evidence: `certified_threshold` is the lowest certified score; every
    other ticket at or above `audits_from` is audited, and `audit_share` is the audited share of the rest.
    """

    language_model = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+")
    contract = models.ForeignKey(ContractVersion, models.PROTECT, related_name="+")
    threshold = models.FloatField(null=True)
    version = models.ForeignKey(SpecialistVersion, models.PROTECT, null=True, related_name="+")
    mode = models.CharField(max_length=10, choices=GateMode, default=GateMode.CONFIDENCE)
    about = models.CharField(max_length=10, choices=Criterion, default=Criterion.BOTH)
    scorer = models.ForeignKey(Scorer, models.PROTECT, null=True, related_name="+")
    front = models.ForeignKey(LanguageModel, models.PROTECT, null=True, related_name="+")
    front_threshold = models.FloatField(null=True)
    key = models.CharField(max_length=200, help_text="All of the above as text; identifies the current epoch.")
    seed = models.CharField(max_length=64, default=_fresh_seed, help_text="Seed of the random draws.")
    certified_threshold = models.FloatField(null=True)
    audits_from = models.FloatField(null=True)
    audit_share = models.FloatField(default=1.0)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects = EpochQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=models.Q(ended_at=None), name="epoch_once"),
            models.CheckConstraint(
                condition=models.Q(mode="certified", threshold=None, scorer__isnull=False)
                | models.Q(mode="score", threshold__isnull=False, scorer__isnull=False)
                | models.Q(mode="confidence", threshold__isnull=False, scorer=None),
                name="epoch_has_what_its_mode_needs",
            ),
            models.CheckConstraint(
                condition=models.Q(audit_share__gt=0, audit_share__lte=1), name="epoch_audit_share_in_0_1"
            ),
        ]

    def __str__(self) -> str:
        by = _("certified") if self.threshold is None else f"{self.threshold:.2f}"
        return f"{self.language_model}, {self.contract}, {by}"

    def value(self, score: Score | Probabilities) -> float:
        """The part of a score that counts under this epoch's criterion, in [0, 1]."""
        return score.category if self.about == Criterion.CATEGORY else score.both

    def auto_accepts(self, confidence: float, value: float | None) -> bool:
        """Whether an answer with this confidence and score is auto-accepted."""
        if self.mode == GateMode.CONFIDENCE:
            assert self.threshold is not None  # noqa: S101 - a constraint sees to it
            return confidence >= self.threshold
        least = self.certified_threshold if self.mode == GateMode.CERTIFIED else self.threshold
        return least is not None and value is not None and value >= least

    def draw(self, ticket_pk: int) -> float:
        """A number in [0, 1) that depends only on the seed and the ticket, so repeating the draw changes nothing."""
        return drawn_number(self.seed, f"{ticket_pk}")

    def draw_again(self, ticket_pk: int) -> float:
        """A second, independent number for the same ticket."""
        return drawn_number(self.seed, f"again:{ticket_pk}")
