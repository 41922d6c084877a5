"""Verdicts: what the gate decided about each ticket, and why."""

from django.db import models
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from classifier.models.epoch import Epoch
from classifier.models.gate import GateMode
from classifier.models.prediction import Failure, Prediction, percent
from classifier.models.scoring import Score
from classifier.models.ticket import Ticket, TicketQuerySet


class Reason(models.TextChoices):
    """Why a ticket was auto-accepted or needs review."""

    CONFIDENT = "confident", _("confident enough")
    BELOW_THRESHOLD = "below_threshold", _("below the threshold")
    NOT_CERTIFIED = "not_certified", _("not certified yet")
    DISAGREEMENT = "disagreement", _("two models disagree")
    INCIDENT = "incident", _("burst of alike tickets")
    PROMPT_INJECTION = "prompt_injection", _("possible prompt injection")
    OUT_OF_TAXONOMY = "out_of_taxonomy", _("answer outside the taxonomy")
    FAILURE = "failure", _("no valid answer")


class VerdictQuerySet(models.QuerySet["Verdict"]):
    def current(self) -> "VerdictQuerySet":
        return self.filter(current=True)


class Verdict(models.Model):
    """The gate's decision about a ticket. A later verdict replaces it as current; it is never edited."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="verdicts")
    epoch = models.ForeignKey(Epoch, models.PROTECT, related_name="verdicts")
    prediction = models.ForeignKey(Prediction, models.RESTRICT, null=True, related_name="+")
    second_opinion = models.ForeignKey(Prediction, models.RESTRICT, null=True, related_name="+")
    failure = models.ForeignKey(Failure, models.RESTRICT, null=True, related_name="+")
    score = models.ForeignKey(Score, models.RESTRICT, null=True, related_name="+")
    threshold = models.FloatField(
        null=True, help_text="The confidence or score required; null if nothing could be auto-accepted."
    )
    auto_accepted = models.BooleanField()
    reason = models.CharField(max_length=20, choices=Reason)
    current = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VerdictQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["ticket"], condition=models.Q(current=True), name="verdict_one_current_per_ticket"
            ),
            models.CheckConstraint(
                condition=models.Q(auto_accepted=False) | models.Q(prediction__isnull=False, reason="confident"),
                name="verdict_accepts_a_confident_prediction",
            ),
            models.CheckConstraint(
                condition=models.Q(prediction__isnull=False) | models.Q(reason__in=["failure", "out_of_taxonomy"]),
                name="verdict_without_prediction_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{'OK' if self.auto_accepted else 'REVIEW'}: {self.get_reason_display()}"

    @property
    def explanation(self) -> str:
        """Why the ticket was auto-accepted or needs review, in a sentence or two."""
        if self.prediction is None:
            return str(self.failure.detail) if self.failure else ""
        if self.reason == Reason.PROMPT_INJECTION:
            return str(
                _(
                    "Possible prompt injection: the text seems to give the model orders, and the specialist does "
                    "not confirm this label."
                )
            )
        if self.reason == Reason.DISAGREEMENT and self.second_opinion is None:
            return _("%(model)s is %(confidence)s confident, but no other model confirms its label.") % self._figures()
        if self.reason == Reason.INCIDENT:
            return str(
                _("Several alike tickets came together; they wait until people have found one of the answers right.")
            )
        if self.reason == Reason.DISAGREEMENT:
            opinion = {
                "second": self.second_opinion,
                "other": self.second_opinion and self.second_opinion.language_model,
            }
            unsure = _("%(model)s is only %(confidence)s confident, and %(other)s says %(second)s.")
            sure = _("%(model)s is %(confidence)s confident, but %(other)s says %(second)s.")
            return (sure if self._is_confident() else unsure) % (self._figures() | opinion)
        return self._by_confidence() if self.epoch.mode == GateMode.CONFIDENCE else self._by_score()

    @property
    def required_threshold(self) -> str:
        """The threshold at the time, for the ticket's history."""
        threshold = self.epoch.threshold if self.threshold is None else self.threshold
        if threshold is None:
            return str(_("nothing was certified yet"))
        digits = 2 if self.epoch.mode == GateMode.CONFIDENCE else 3
        return _("threshold %(threshold)s") % {"threshold": number_format(threshold, digits)}

    def _is_confident(self) -> bool:
        """Whether the stated confidence alone would have been enough."""
        if self.prediction is None or self.epoch.mode != GateMode.CONFIDENCE:
            return False
        return self.prediction.confidence >= (self.threshold or 0)

    def _by_confidence(self) -> str:
        if self.auto_accepted:
            return _("%(model)s is %(confidence)s confident; auto-accept starts at %(threshold)s.") % self._figures()
        return _("%(model)s is only %(confidence)s confident; auto-accept starts at %(threshold)s.") % self._figures()

    def _by_score(self) -> str:
        figures = self._figures()
        if not figures["threshold"]:
            limit = _("Nothing is certified yet, so people review every ticket.")
        elif self.auto_accepted and self.epoch.mode == GateMode.CERTIFIED:
            limit = _("Auto-accept was certified at %(threshold)s and above.")
        else:
            limit = _("Auto-accept starts at %(threshold)s.")
        return " ".join(
            text % figures for text in (_("Estimated probability that %(model)s is right: %(score)s."), limit)
        )

    def _figures(self) -> dict[str, object]:
        prediction = self.prediction
        assert prediction is not None  # noqa: S101 - there is something to explain
        threshold = self.epoch.threshold if self.threshold is None else self.threshold
        digits = 0 if self.epoch.mode == GateMode.CONFIDENCE else 1
        return {
            "model": prediction.answered_by,
            "confidence": percent(prediction.confidence),
            "score": percent(self.epoch.value(self.score), 1) if self.score else "?",
            "threshold": "" if threshold is None else percent(threshold, digits),
        }


def with_current_verdicts(tickets: TicketQuerySet) -> TicketQuerySet:
    """Prefetch the current verdict and its labels (two more queries)."""
    current = Verdict.objects.current().select_related(
        "prediction__category",
        "prediction__sentiment",
        "prediction__language_model",
        "second_opinion__category",
        "second_opinion__sentiment",
        "second_opinion__language_model",
        "failure__language_model",
        "epoch",
    )
    verdicts = models.Prefetch("verdicts", queryset=current, to_attr="current_verdicts")
    return tickets.select_related("category", "sentiment").prefetch_related(verdicts)


def current_verdict(ticket: Ticket) -> Verdict | None:
    """The verdict of a ticket loaded by `with_current_verdicts`; raises KeyError for any other."""
    current: list[Verdict] = vars(ticket)["current_verdicts"]
    return current[0] if current else None
