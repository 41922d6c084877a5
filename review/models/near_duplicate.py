"""Which tickets say nearly the same: one row for each that came to the desk."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.db.models import Q

from classifier.models import Ticket


class LikenessQuerySet(models.QuerySet["Likeness"]):
    def firsts_sharing(self, bands: Sequence[Sequence[int]]) -> LikenessQuerySet:
        """First tickets of groups with a band in common with one of these: candidates for being alike."""
        shared = Q(pk__in=[])
        for number, values in enumerate(zip(*bands, strict=True)):
            shared |= Q(**{f"band_{number}__in": values})
        return self.filter(shared)


class Likeness(models.Model):
    """The group of near-duplicates that a ticket belongs to; of its first ticket the bands of the text's MinHash
    signature too. The others have none: finding the first must cost the same however many are like it.
    """

    ticket = models.OneToOneField(Ticket, models.CASCADE, primary_key=True, related_name="likeness")
    group = models.BigIntegerField(db_index=True, help_text="The key of the first ticket of the group.")
    band_0 = models.BigIntegerField(null=True, db_index=True)
    band_1 = models.BigIntegerField(null=True, db_index=True)
    band_2 = models.BigIntegerField(null=True, db_index=True)
    band_3 = models.BigIntegerField(null=True, db_index=True)

    objects = LikenessQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"#{self.pk} is like #{self.group}"

    @property
    def bands(self) -> tuple[int | None, ...]:
        return self.band_0, self.band_1, self.band_2, self.band_3

    @bands.setter
    def bands(self, bands: Sequence[int]) -> None:
        self.band_0, self.band_1, self.band_2, self.band_3 = bands
