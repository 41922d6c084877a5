"""Running totals of large tables, updated chunk by chunk as rows arrive."""

from django.db import models


class TallyProgress(models.Model):
    """How far a table has been counted."""

    name = models.CharField(max_length=40, unique=True)
    until = models.BigIntegerField(default=0, help_text="Rows up to this key are counted.")
    seen = models.BigIntegerField(default=0, help_text="The last key at the latest look.")
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name}: {self.until}"


class Tally(models.Model):
    """One running total. Only the process that advanced the progress row writes it."""

    fold = models.ForeignKey(TallyProgress, models.CASCADE, related_name="tallies", db_index=False)
    key = models.CharField(max_length=300, help_text="What is counted, as a JSON list of words.")
    value = models.FloatField(default=0)

    class Meta:
        ordering = ["fold", "key"]
        constraints = [models.UniqueConstraint(fields=["fold", "key"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.value:g}"
