"""Drafts of the taxonomy and the instructions, to edit and measure before publishing."""

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from classifier.contract.prompt import INSTRUCTIONS
from classifier.models.contract import ContractVersion
from classifier.models.taxonomy import Category, Sentiment, _no_separator, next_position


def normalized_text(text: str) -> str:
    """The text with uniform line ends and no trailing spaces, since forms change line ends."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class DraftQuerySet(models.QuerySet["Draft"]):
    def open(self) -> "DraftQuerySet":
        return self.filter(published_at=None)


class Draft(models.Model):
    name = models.CharField(_("name"), max_length=80, unique=True)
    instructions = models.TextField(
        _("instructions"),
        blank=True,
        help_text=_("Instructions that models read above the labels. Empty: the built-in text."),
    )
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(_("begun"), auto_now_add=True)
    published_at = models.DateTimeField(_("published"), null=True, editable=False)
    based_on = models.ForeignKey(
        ContractVersion, models.PROTECT, related_name="+", editable=False, verbose_name=_("based on")
    )
    outcome = models.JSONField(default=list, editable=False, help_text="The changes made by publishing, as sentences.")

    objects = DraftQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.instructions = normalized_text(self.instructions)
        if self.instructions == INSTRUCTIONS:
            self.instructions = ""


class DraftLabel(models.Model):
    """A label in a draft: an edited existing label, or a new one."""

    class Axis(models.TextChoices):
        CATEGORY = "category", _("category")
        SENTIMENT = "sentiment", _("sentiment")

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="labels", db_index=False)
    axis = models.CharField(max_length=9, choices=Axis)
    # The existing label that it edits; a new one has none.
    category = models.ForeignKey(Category, models.PROTECT, null=True, editable=False, related_name="draft_labels")
    sentiment = models.ForeignKey(Sentiment, models.PROTECT, null=True, editable=False, related_name="draft_labels")
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    name = models.CharField(_("name"), max_length=80, validators=[_no_separator])
    description = models.CharField(_("description"), max_length=300, blank=True)
    examples = models.TextField(_("examples"), blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    dropped = models.BooleanField(_("dropped"), default=False)
    merge_into = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        help_text="Of a dropped label: the one that what refers to it moves to.",
    )
    base = models.JSONField(
        default=dict, editable=False, help_text="The label's values when the draft began; empty for a new label."
    )

    class Meta:
        ordering = ["position", "name"]
        verbose_name = _("label in a draft")
        verbose_name_plural = _("labels in drafts")
        constraints = [
            models.UniqueConstraint(fields=["draft", "category"], name="draft_category_once"),
            models.UniqueConstraint(fields=["draft", "sentiment"], name="draft_sentiment_once"),
            models.UniqueConstraint(
                fields=["draft", "parent", "name"],
                condition=Q(dropped=False, parent__isnull=False),
                name="draft_name_once_under_a_parent",
            ),
            models.UniqueConstraint(
                fields=["draft", "axis", "name"],
                condition=Q(dropped=False, parent__isnull=True),
                name="draft_name_once_at_the_top",
            ),
            models.CheckConstraint(
                condition=Q(axis="category", sentiment__isnull=True)
                | Q(axis="sentiment", category__isnull=True, parent__isnull=True),
                name="draft_label_of_its_axis",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new label without a position goes last."""
        if self._state.adding and not self.position and not self.base:
            self.position = next_position(DraftLabel.objects.filter(draft=self.draft_id, axis=self.axis))
        super().save(*args, **kwargs)

    @property
    def label_id(self) -> int | None:
        """The key of the existing label; None for a new one."""
        return self.category_id or self.sentiment_id

    def clean(self) -> None:
        self.examples = normalized_text(self.examples)
        # Typed into a multi-line field, but a single line in the prompt.
        self.description = " ".join(self.description.splitlines())


def label_snapshot(label: Category | Sentiment | DraftLabel, parent: int | None) -> dict[str, Any]:
    """The label's values when the draft began, to tell later what the draft changed."""
    return {
        "name": label.name,
        "description": label.description,
        "examples": normalized_text(label.examples),
        "position": label.position,
        "parent": parent,
    }
