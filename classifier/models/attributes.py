"""Attributes beside category and sentiment, which admins add. They and their options are retired, never deleted, since
stored answers name them by key.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import ProtectedError, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.contract import patterns
from classifier.contract.attributes import KEY
from classifier.contract.key_names import KEYS
from classifier.contract.types import AttributeKind
from classifier.models.taxonomy import Category, Label, next_position

MOST_OPTIONS = 500
RESERVED = {*KEYS, KEY}
"""Keys that mean something else in an answer."""

StoredAnswers = Mapping[str, Any]
"""Answers by the attribute's primary key: an option's key, a list of them, true or false, or a text."""


class NeverDeleted(models.QuerySet[Any]):
    """Rows that stored answers name without a foreign key."""

    def delete(self) -> NoReturn:
        """Raises ProtectedError."""
        refusal = str(_("Attributes and their options are retired, not deleted: answers name them."))
        raise ProtectedError(refusal, set(self))

    def active(self) -> "NeverDeleted":
        return self.filter(retired=False)


class Attribute(models.Model):
    class Kind(models.TextChoices):
        ONE_OF = AttributeKind.ONE_OF.value, _("one of")
        YES_NO = AttributeKind.YES_NO.value, _("yes or no")
        SEVERAL_OF = AttributeKind.SEVERAL_OF.value, _("several of")
        TEXT = AttributeKind.TEXT.value, _("text")

    key = models.CharField(
        _("key"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"\A[a-z][a-z0-9_]*\Z", _("Use lower-case letters, digits and underscores."))],
        help_text=_("Its name in the API, exports and models' answers, such as “order_number”. It can't be changed."),
    )
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(
        _("description"), max_length=300, blank=True, help_text=_("One line for models and reviewers.")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, help_text=_("It can't be changed."))
    is_scale = models.BooleanField(
        _("scale"), default=False, help_text=_("“One of” only: the options are steps, from lowest to highest.")
    )
    pattern = models.CharField(
        _("pattern"),
        max_length=patterns.LONGEST_PATTERN,
        blank=True,
        help_text=_("“Text” only: a regular expression (RE2 syntax) that an answer must match, such as “A-[0-9]{5}”."),
    )
    examples = models.TextField(
        _("examples"),
        blank=True,
        help_text=_("“Yes or no”: texts with the answer yes, one per line. “Text”: values, one per line."),
    )
    counterexamples = models.TextField(
        _("counterexamples"), blank=True, help_text=_("“Yes or no” only: texts with the answer no, one per line.")
    )
    categories = models.ManyToManyField(
        Category,
        blank=True,
        related_name="attributes",
        verbose_name=_("categories"),
        help_text=_("It is asked of tickets in these categories and those below them. None selected: of all."),
    )
    required = models.BooleanField(
        _("required"), default=False, db_default=False, help_text=_("Reviewers must answer it.")
    )
    position = models.PositiveIntegerField(
        _("position"), default=0, help_text=_("Lower numbers come first; 0 puts a new one last.")
    )
    retired = models.BooleanField(
        _("retired"), default=False, help_text=_("New tickets no longer get it; earlier answers stay.")
    )

    objects = NeverDeleted.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "key"]
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes")
        constraints = [
            models.CheckConstraint(condition=~Q(key__in=sorted(RESERVED)), name="attribute_key_not_reserved"),
            models.CheckConstraint(condition=Q(kind__in=[kind.value for kind in AttributeKind]), name="attribute_kind"),
            models.CheckConstraint(condition=Q(pattern="") | Q(kind="text"), name="attribute_pattern_of_text"),
            models.CheckConstraint(condition=Q(is_scale=False) | Q(kind="one_of"), name="attribute_scale_of_options"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new one without a position goes last."""
        if self._state.adding and not self.position:
            self.position = next_position(Attribute.objects.all())
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises ProtectedError."""
        Attribute.objects.filter(pk=self.pk).delete()

    @property
    def has_options(self) -> bool:
        return self.kind in (AttributeKind.ONE_OF, AttributeKind.SEVERAL_OF)

    def clean(self) -> None:
        if self.key in RESERVED:
            raise ValidationError({"key": _("This key means something else in an answer.")})
        if self.is_scale and self.kind != AttributeKind.ONE_OF:
            raise ValidationError({"is_scale": _("Only “one of” can be a scale.")})
        if self.pattern:
            self._check_pattern()

    def _check_pattern(self) -> None:
        if self.kind != AttributeKind.TEXT:
            raise ValidationError({"pattern": _("Only “text” can have a pattern.")})
        try:
            patterns.check(self.pattern)
        except patterns.InvalidPattern as invalid:
            raise ValidationError({"pattern": _("Not a pattern: %s.") % invalid}) from None


class AttributeOption(Label):
    attribute = models.ForeignKey(Attribute, models.PROTECT, related_name="options", verbose_name=_("attribute"))
    name = models.CharField(_("name"), max_length=300)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, related_name="merged_from"
    )

    objects = NeverDeleted.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "name"]
        verbose_name = _("option")
        verbose_name_plural = _("options")
        constraints = [
            models.UniqueConstraint(
                fields=["attribute", "name"], condition=Q(retired=False), name="attribute_option_name_once"
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(retired=True), name="attribute_option_merged_is_retired"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises ProtectedError."""
        AttributeOption.objects.filter(pk=self.pk).delete()

    def siblings(self) -> "models.QuerySet[AttributeOption]":
        return AttributeOption.objects.filter(attribute=self.attribute_id)

    def clean(self) -> None:
        if self.name != self.name.strip() or not self.name.isprintable():
            raise ValidationError({"name": _("A name must be one printable line.")})
        twins = self.siblings().filter(name=self.name, retired=False).exclude(pk=self.pk)
        if not self.retired and twins.exists():
            raise ValidationError({"name": _("An option with this name already exists.")})


def lines(text: str) -> tuple[str, ...]:
    """The lines of a field that takes one text per line."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())
