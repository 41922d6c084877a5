"""Records of erasures: how much was erased where, and what could not be reached. No personal data."""

from django.contrib.auth.models import User
from django.db import models
from django.utils.translation import gettext_lazy as _


class Erasure(models.Model):
    class Kind(models.TextChoices):
        ERASED = "erased", _("erased")
        MASKED = "masked", _("masked")
        EXPIRED = "expired", _("erased after the retention period")

    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    at = models.DateTimeField(_("when"), auto_now_add=True)
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    counts = models.JSONField(_("rows"), default=dict, help_text="Rows that were changed or removed, by table.")
    remains = models.JSONField(
        _("out of reach"), default=list, help_text="What still contains it: snapshots, exports and trained models."
    )

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_kind_display()}"
