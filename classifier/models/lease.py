"""Rows that one worker at a time holds, by the database's clock."""

from datetime import timedelta
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

LeasableT = TypeVar("LeasableT", bound="Leasable")


class LeasableQuerySet(models.QuerySet[LeasableT]):
    def free(self) -> Self:
        """Rows that nobody holds and that are not postponed."""
        return self.filter(available_at__lte=Now())

    def release(self, after: timedelta | None = None, **values: Any) -> int:
        """Write `values` and free the rows, at once or after a delay. Returns the number of rows."""
        available_at = Now() + after if after else Now()
        return self.update(owner=None, available_at=available_at, **values)


class Leasable(models.Model):
    """A row that is free from `available_at` on; until then it is postponed or held by its `owner`."""

    available_at = models.DateTimeField(_("next try"), db_default=Now(), editable=False)
    owner = models.UUIDField(null=True, editable=False, help_text="A new value each time someone takes the row.")

    class Meta:
        abstract = True

    @property
    def still_held(self) -> LeasableQuerySet[Self]:
        """This row in the database; empty once another owner has taken it."""
        return LeasableQuerySet(type(self)).filter(pk=self.pk, owner=self.owner)


class Lease(Leasable):
    """A lease for work that one process at a time does and that has no row of its own."""

    name = models.CharField(max_length=40, primary_key=True)

    objects = LeasableQuerySet["Lease"].as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
