"""Gold labels: texts whose labels people have settled, for benchmarks and training.

Each label is assigned once to one of two sides, together with its near-duplicates. The benchmark side is held out of
prompts and training; models learn from the training side.
"""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import Category, Sentiment, Ticket
from classifier.models.specialist import text_digest
from classifier.models.ticket import MessageField
from review.models.certification import Audit
from review.models.duplicates import DuplicateGroup, Side


class GoldLabelQuerySet(models.QuerySet["GoldLabel"]):
    def usable(self) -> "GoldLabelQuerySet":
        """Labels that benchmarks or training may use now."""
        return self.filter(
            Q(category=None) | Q(category__retired=False),
            Q(sentiment=None) | Q(sentiment__retired=False),
            state=GoldLabel.State.ACTIVE,
            group__isnull=False,
        )

    def on_side(self, side: str) -> "GoldLabelQuerySet":
        return self.filter(group__side=side)

    def for_training(self) -> "GoldLabelQuerySet":
        """The usable ones of the training side, without held-out audits."""
        held_out = Audit.objects.filter(ticket=OuterRef("ticket"), held_out=True)
        return self.usable().on_side(Side.TRAINING).exclude(Exists(held_out))

    def unsealed(self) -> "GoldLabelQuerySet":
        """Those whose ticket nobody labels blind now: of others nobody may see the label."""
        return self.filter(Q(ticket=None) | Q(ticket__sealed=False))

    def needing_review(self) -> "GoldLabelQuerySet":
        """Active labels that the taxonomy has outdated: a label is retired, or the category was split."""
        split = Exists(Category.objects.active().filter(parent=OuterRef("pk")))
        categories = Category.objects.filter(Q(retired=True) | split).values("pk")
        sentiments = Sentiment.objects.filter(retired=True).values("pk")
        return self.filter(Q(category__in=categories) | Q(sentiment__in=sentiments), state=GoldLabel.State.ACTIVE)

    def count_to(self, most: int) -> int:
        """How many there are; counting stops at `most`, so that no page grows with the table."""
        return self.order_by()[:most].count()


class GoldLabel(models.Model):
    """A text with its category, its sentiment, or both: imported histories often have only one of them."""

    class Origin(models.TextChoices):
        BUILT_IN = "built_in", _("built in")
        DECISION = "decision", _("decision")
        BLIND = "blind", _("blind review")
        AUDIT = "audit", _("audit")
        SAMPLE = "sample", _("random sample")
        IMPORT = "import", _("import")
        ADMIN = "admin", _("added by an admin")

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        DISPUTED = "disputed", _("disputed")
        CONTRADICTED = "contradicted", _("labelled differently elsewhere")
        WITHDRAWN = "withdrawn", _("no longer settled")
        RETIRED = "retired", _("retired")

    text = MessageField(_("text"))
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text=_("SHA-256 of the text."))
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, related_name="gold_labels", verbose_name=_("category")
    )
    sentiment = models.ForeignKey(
        Sentiment, models.PROTECT, null=True, blank=True, related_name="gold_labels", verbose_name=_("sentiment")
    )
    further_categories = models.JSONField(
        default=list, db_default=[], editable=False, help_text="Primary keys of categories besides the main one."
    )
    attributes = models.JSONField(default=dict, db_default={}, editable=False)
    origin = models.CharField(_("origin"), max_length=20, choices=Origin)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.ACTIVE)
    note = models.CharField(_("note"), max_length=300, blank=True)

    # Null where the text is alike to both sides: then it stands on neither.
    group = models.ForeignKey(
        DuplicateGroup, models.PROTECT, null=True, editable=False, related_name="gold_labels", verbose_name=_("side")
    )
    ticket = models.ForeignKey(Ticket, models.SET_NULL, null=True, blank=True, related_name="gold_labels")
    # The model's answer before people reviewed the ticket, if there was one.
    predicted_category = models.ForeignKey(Category, models.PROTECT, null=True, editable=False, related_name="+")
    predicted_sentiment = models.ForeignKey(Sentiment, models.PROTECT, null=True, editable=False, related_name="+")
    predicted_confidence = models.FloatField(null=True, editable=False)
    corrected = models.BooleanField(_("corrected"), default=False, editable=False)
    people = models.PositiveSmallIntegerField(
        _("people"), default=1, help_text=_("Number of people who gave this label independently.")
    )
    share = models.FloatField(
        _("share"), default=1, editable=False, help_text=_("Probability with which it was chosen for labelling.")
    )
    language = models.CharField(_("language"), max_length=20, blank=True)
    source = models.CharField(_("source"), max_length=50, blank=True)
    labelled_at = models.DateTimeField(_("labelled"), default=timezone.now)
    created_at = models.DateTimeField(_("added"), auto_now_add=True)

    DRAWN = (Origin.AUDIT, Origin.SAMPLE)
    """Origins of labels that were drawn from all arrivals; `share` is the probability of that."""

    objects = GoldLabelQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("gold label")
        constraints = [
            models.CheckConstraint(condition=Q(share__gt=0, share__lte=1), name="gold_share_in_0_1"),
            models.CheckConstraint(
                condition=Q(category__isnull=False) | Q(sentiment__isnull=False), name="gold_label_of_an_axis"
            ),
            models.CheckConstraint(
                condition=Q(predicted_category=None, predicted_sentiment=None, predicted_confidence=None)
                | Q(
                    predicted_category__isnull=False,
                    predicted_sentiment__isnull=False,
                    predicted_confidence__range=(0, 1),
                ),
                name="gold_predicted_all_or_nothing",
            ),
            models.UniqueConstraint(fields=["ticket"], condition=Q(ticket__isnull=False), name="gold_once_per_ticket"),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="gold_by_state"),
            models.Index(fields=["labelled_at"], name="gold_by_labelling"),
            models.Index(fields=["created_at"], name="gold_by_time"),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def sealed(self) -> bool:
        """Whether people label its ticket blind, so that nobody may see this label."""
        return bool(self.ticket and self.ticket.sealed)

    @staticmethod
    def digest_of(text: str) -> str:
        return text_digest(text)

    def contradicts(self, other: "GoldLabel") -> bool:
        """Whether both have a category, or both a sentiment, and these differ."""
        mine, theirs = ((label.category_id, label.sentiment_id) for label in (self, other))
        return any(own and another and own != another for own, another in zip(mine, theirs, strict=True))

    @property
    def label(self) -> str:
        """The names of what it has of category and sentiment."""
        return " | ".join(str(given) for given in (self.category, self.sentiment) if given)

    @property
    def side(self) -> str:
        """Empty for a text that is alike to both sides."""
        return self.group.side if self.group else ""
