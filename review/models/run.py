"""Benchmark runs: models under contracts that answer the benchmark side of a snapshot."""

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from classifier.contract.types import FailureKind
from classifier.models import ContractVersion, LanguageModel
from classifier.models.lease import Leasable, LeasableQuerySet
from classifier.models.ticket import MessageField
from review.models.snapshot import Snapshot, SnapshotItem


class RunQuerySet(LeasableQuerySet["Run"]):
    def waiting(self) -> "RunQuerySet":
        """Running, and not leased by a live worker."""
        return self.filter(state=Run.State.RUNNING).free()


class Run(Leasable):
    class State(models.TextChoices):
        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")
        FINISHED = "finished", _("finished")

    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="runs", verbose_name=_("snapshot"))
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RUNNING)
    items_count = models.PositiveIntegerField(_("items"))
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    note = models.CharField(_("note"), max_length=300, blank=True, help_text=_("Why it was stopped."))
    comparisons = models.JSONField(default=list, help_text="Pairwise comparisons of its models.")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("benchmark run")
        permissions = [
            ("benchmark", _("Can compare models, and export and import labels")),
            ("set_threshold", _("Can set the confidence from which tickets are auto-accepted")),
            ("teach", _("Can view the specialist, check label issues and deploy versions")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="finished", finished_at__isnull=False)
                | (~Q(state="finished") & Q(finished_at__isnull=True)),
                name="run_finished_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return _("Run %d") % self.pk

    def get_absolute_url(self) -> str:
        return reverse("review:benchmark_run", args=[self.pk])


class Contender(models.Model):
    """A model under a contract in a run, and its figures once it has answered for every item."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="contenders")
    language_model = models.ForeignKey(LanguageModel, models.PROTECT, related_name="+", verbose_name=_("model"))
    contract = models.ForeignKey(ContractVersion, models.PROTECT, related_name="+", verbose_name=_("contract"))
    label = models.CharField(_("contract"), max_length=80, blank=True, help_text=_("Of a draft its name."))
    examples = models.PositiveSmallIntegerField(
        _("solved tickets in the prompt"), default=0, help_text=_("Number of similar tickets included in each prompt.")
    )
    baseline = models.BooleanField(
        _("baseline"), default=False, help_text=_("Later results are compared with this one.")
    )
    figures: Any = models.JSONField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "language_model", "contract", "examples"], name="contender_once"),
            models.UniqueConstraint(fields=["baseline"], condition=Q(baseline=True), name="contender_one_baseline"),
        ]

    names_provider = False
    """Whether its name needs the provider's to be unique."""

    def __str__(self) -> str:
        notes = [str(self.language_model.provider)] if self.names_provider else []
        if self.label:
            notes.append(self.label)
        if self.examples:
            notes.append(ngettext("%d solved ticket", "%d solved tickets", self.examples) % self.examples)
        return f"{self.language_model} ({', '.join(notes)})" if notes else str(self.language_model)

    def get_absolute_url(self) -> str:
        return reverse("review:contender", args=[self.run_id, self.pk])


class Result(models.Model):
    """A contender's answer to one item, or its failure. Written once."""

    contender = models.ForeignKey(Contender, models.CASCADE, related_name="results", db_index=False)
    item = models.ForeignKey(SnapshotItem, models.PROTECT, related_name="+")
    # Keys of labels; None if the model failed, or if only a taxonomy draft has the label.
    category = models.BigIntegerField(null=True)
    sentiment = models.BigIntegerField(null=True)
    answer = models.CharField(max_length=500, blank=True, help_text="The labels by name, as answered.")
    category_right = models.BooleanField()
    sentiment_right = models.BooleanField()
    confidence = models.FloatField(null=True)
    reasoning = models.TextField(blank=True)
    failure = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in FailureKind], blank=True)
    detail = MessageField(blank=True)
    repaired = models.BooleanField(default=False, help_text="Whether the reply had to be repaired to be read.")
    latency_ms = models.FloatField()
    cost = models.DecimalField(max_digits=14, decimal_places=8)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["contender", "item"], name="result_once"),
            models.CheckConstraint(
                condition=Q(failure="", confidence__isnull=False) | (~Q(failure="") & Q(confidence=None)),
                name="result_answers_or_fails",
            ),
        ]

    def __str__(self) -> str:
        return self.answer or self.failure

    @property
    def right(self) -> bool:
        return self.category_right and self.sentiment_right
