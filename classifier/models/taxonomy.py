"""Categories and sentiments, which admins edit. Labels in use are retired or merged, never deleted."""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from classifier.contract.types import SEPARATOR, Option


def _no_separator(name: str) -> None:
    if ">" in name or name != name.strip() or not name.isprintable():
        raise ValidationError(
            _("A name must be one printable line without “>”, which separates a category from its parent.")
        )


class LabelQuerySet(models.QuerySet["Sentiment"]):
    def active(self) -> "LabelQuerySet":
        return self.filter(retired=False)


class CategoryQuerySet(models.QuerySet["Category"]):
    def active(self) -> "CategoryQuerySet":
        return self.filter(retired=False)

    def paths(self) -> dict[int, str]:
        """Full names (“parent > child”) by primary key (one query)."""
        return paths(self)

    def update(self, **values: Any) -> int:
        """Like Django's, and keeps full names right."""
        rows = super().update(**values)
        if not values.keys().isdisjoint(("name", "parent", "parent_id")):
            _update_full_names()
        return rows

    def bulk_create(self, objs: "Iterable[Category]", *args: Any, **kwargs: Any) -> "list[Category]":
        """Like Django's, and keeps full names right."""
        created = super().bulk_create(objs, *args, **kwargs)
        _update_full_names()
        return created


def next_position(labels: "models.QuerySet[Any]") -> int:
    last: int | None = labels.aggregate(last=models.Max("position"))["last"]
    return (last or 0) + 1


class Label(models.Model):
    """The fields that categories and sentiments share."""

    name = models.CharField(_("name"), max_length=80, validators=[_no_separator])
    description = models.CharField(
        _("description"),
        max_length=300,
        blank=True,
        help_text=_(
            "One line on what belongs here. Models read it; a good description adds several points of accuracy."
        ),
    )
    examples = models.TextField(
        _("examples"),
        blank=True,
        help_text=_("Example texts, one per line. Optional; models read them too."),
    )
    position = models.PositiveIntegerField(
        _("position"), default=0, help_text=_("Lower numbers come first; 0 puts a new one last.")
    )
    retired = models.BooleanField(
        _("retired"), default=False, help_text=_("New tickets no longer get this label; existing ones keep it.")
    )
    merged_into: models.ForeignKey[Any, Any]

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new label without a position goes last, so that no other's key moves."""
        if self._state.adding and not self.position:
            self.position = next_position(self.siblings())
        super().save(*args, **kwargs)

    def siblings(self) -> "models.QuerySet[Any]":
        """All labels of the same axis, this one too."""
        return type(self)._default_manager.all()

    def option(self, name: str) -> Option:
        """The label as models see it, under its full `name`."""
        examples = tuple(line.strip() for line in self.examples.splitlines() if line.strip())
        return Option(name=name, description=self.description, examples=examples)


class LabelWithShortcut(Label):
    """A label with a key of its own on the review screen, which stays when other labels are added, moved or retired."""

    MOST_SHORTCUTS: ClassVar[int]

    shortcut = models.PositiveSmallIntegerField(
        _("shortcut"), null=True, blank=True, help_text=_("Number of its key on the review screen. Empty: no key.")
    )

    class Meta:
        abstract = True

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new label gets the first free shortcut. `bulk_create` gives none."""
        if self._state.adding and not self.shortcut and not self.retired:
            # Locked, or two new labels would get the same one.
            list(type(self)._default_manager.select_for_update().order_by("pk").values_list("pk"))
            self.shortcut = self.free_shortcut()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if not self.retired and self.shortcut and self.shortcut != self.free_shortcut():
            raise ValidationError({"shortcut": _("Another label has this shortcut; clear it there first.")})

    def free_shortcut(self) -> int | None:
        """This label's own shortcut if no other active label has it, else the first free one (one query)."""
        others = type(self)._default_manager.filter(retired=False, shortcut__isnull=False).exclude(pk=self.pk)
        taken = {*others.values_list("shortcut", flat=True), None}
        wanted = (self.shortcut, *range(1, self.MOST_SHORTCUTS + 1))
        return next((number for number in wanted if number not in taken), None)


def _shortcut_constraints(name: str, most: int) -> list[models.BaseConstraint]:
    return [
        models.UniqueConstraint(
            fields=["shortcut"],
            condition=models.Q(retired=False),
            name=f"{name}_shortcut_once",
        ),
        models.CheckConstraint(
            condition=models.Q(shortcut__isnull=True) | models.Q(shortcut__range=(1, most)),
            name=f"{name}_shortcut_exists",
            violation_error_message=format_lazy(_("Shortcuts are numbered from 1 to {most}."), most=most),
        ),
    ]


class Category(LabelWithShortcut):
    MOST_SHORTCUTS = 9

    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
        help_text=_("A subcategory also counts as its parent."),
    )
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, related_name="merged_from"
    )
    full_name = models.TextField(
        _("full name"), editable=False, help_text=_("With its parents' names, for pages and messages.")
    )

    objects = CategoryQuerySet.as_manager()
    history = HistoricalRecords(excluded_fields=["full_name"])

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = _("categories")
        constraints = [
            models.UniqueConstraint(
                fields=["parent", "name"],
                condition=models.Q(retired=False),
                name="category_name_once_under_a_parent",
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(retired=False, parent__isnull=True),
                name="category_name_once_at_the_top",
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into__isnull=True) | models.Q(retired=True),
                name="category_merged_is_retired",
            ),
            *_shortcut_constraints("category", 9),
        ]

    def __str__(self) -> str:
        return self.full_name or self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            # No other's full name changes, so there is no need to read all, which takes long for many new ones.
            above = Category.objects.filter(pk=self.parent_id or 0).values_list("full_name", flat=True)
            self.full_name = SEPARATOR.join((*above, self.name))
            super().save(*args, **kwargs)
        else:
            super().save(*args, **kwargs)
            self.full_name = _update_full_names().get(self.pk, self.name)

    def clean(self) -> None:
        super().clean()
        if self.pk and self.parent and self.parent.answers_for(self):
            raise ValidationError({"parent": _("A category can't be its own descendant.")})
        if self.parent and self.parent.retired and not self.retired:
            # It would move to the top level, where its name may be taken.
            raise ValidationError({"parent": _("%s is retired; restore it first, or choose another.") % self.parent})
        twins = Category.objects.active().filter(name=self.name, parent=self.parent).exclude(pk=self.pk)
        if not self.retired and twins.exists():
            raise ValidationError({"name": _("A category with this name already exists here.")})

    def answers_for(self, expected: "Category") -> bool:
        """Whether this category counts as correct where `expected` is: the same one or a descendant (one query per
        level).
        """
        node: Category | None = self
        while node is not None:
            if node.pk == expected.pk:
                return True
            node = node.parent
        return False


class Sentiment(LabelWithShortcut):
    MOST_SHORTCUTS = 6

    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, related_name="merged_from"
    )

    objects = LabelQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(retired=False),
                name="sentiment_name_once",
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into__isnull=True) | models.Q(retired=True),
                name="sentiment_merged_is_retired",
            ),
            *_shortcut_constraints("sentiment", 6),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        twins = Sentiment.objects.active().filter(name=self.name).exclude(pk=self.pk)
        if not self.retired and twins.exists():
            raise ValidationError({"name": _("A sentiment with this name already exists.")})


class Node(Protocol):
    """The attributes of a category that `paths` reads."""

    @property
    def pk(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def parent_id(self) -> int | None: ...


def paths(categories: Iterable[Node]) -> dict[int, str]:
    """Full names (“parent > child”) by primary key, in the tree's reading order.

    A category whose parent is not among `categories` (because it is retired, say) is listed at the top under its own
    name.
    """
    children: dict[int | None, list[Node]] = {}
    known = {category.pk: category for category in categories}
    for category in known.values():
        parent = category.parent_id if category.parent_id in known else None
        children.setdefault(parent, []).append(category)
    names: dict[int, str] = {}

    def walk(parent: int | None, prefix: str) -> None:
        for category in children.get(parent, []):
            names[category.pk] = prefix + category.name
            walk(category.pk, names[category.pk] + SEPARATOR)

    walk(None, "")
    return names


def _update_full_names() -> dict[int, str]:
    """Store the full names that have changed, of descendants too, and return all (one query if none has)."""
    categories = {category.pk: category for category in Category.objects.all()}
    names = paths(categories.values())
    for pk, full_name in names.items():
        if categories[pk].full_name != full_name:
            Category.objects.filter(pk=pk).update(full_name=full_name)
    return names
