"""A person's keyboard shortcuts on the review screen."""

from django.contrib.auth.models import User
from django.db import models
from django.utils.translation import gettext_lazy as _

from review.models import shortcuts


class Preferences(models.Model):
    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="review_preferences")
    changed_keys = models.JSONField(_("changed keys"), default=dict, help_text=_("Changed keys by action."))
    keys_on = models.BooleanField(_("single keys"), default=True)

    class Meta:
        verbose_name = verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        return str(self.user)

    @classmethod
    def for_user(cls, user: User) -> "Preferences":
        """The person's preferences, or unsaved defaults."""
        return cls.objects.filter(pk=user.pk).first() or cls(user=user)

    @property
    def active(self) -> dict[str, str]:
        """The key of each action; none where single keys are turned off."""
        return self.keys if self.keys_on else {}

    @property
    def keys(self) -> dict[str, str]:
        """The key of each action that has one."""
        return shortcuts.merged(self.changed_keys)
