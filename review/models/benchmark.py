"""The benchmark set: texts whose right labels are known."""

from __future__ import annotations

import hashlib

from django.db import models
from django.utils.translation import gettext_lazy as _

from classifier.models import Category, Sentiment
from classifier.models.ticket import MessageField


class BenchmarkItem(models.Model):
    class Origin(models.TextChoices):
        BUILT_IN = "built_in", _("built in")

    text = MessageField(_("text"))
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text=_("SHA-256 of the text."))
    category = models.ForeignKey(Category, models.PROTECT, related_name="benchmark_items")
    sentiment = models.ForeignKey(Sentiment, models.PROTECT, related_name="benchmark_items")
    origin = models.CharField(_("origin"), max_length=20, choices=Origin)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("benchmark item")

    def __str__(self) -> str:
        return self.text[:60]

    @staticmethod
    def digest_of(text: str) -> str:
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()
