"""Deploys versions of the specialist."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.models import Gate, SpecialistVersion


class WeightsDiscarded(Exception):
    """The version's weights no longer exist; the message says why."""


@transaction.atomic
def deploy(version: SpecialistVersion, *, by: User | None = None) -> None:
    """Make this version live. One that a user deploys stays live until unpinned. Raises WeightsDiscarded."""
    _one_at_a_time()
    SpecialistVersion.objects.filter(live=True).exclude(pk=version.pk).update(live=False, pinned_by=None)
    serving = {"live": True, "live_since": timezone.now(), "pinned_by": by}
    if not SpecialistVersion.objects.usable().filter(pk=version.pk).update(**serving):
        raise WeightsDiscarded(_("The weights of version %s were not kept. Choose another version.") % version)


@transaction.atomic
def unpin() -> None:
    """Let the next better version replace the live one."""
    _one_at_a_time()
    SpecialistVersion.objects.filter(live=True).update(pinned_by=None)


def _one_at_a_time() -> None:
    list(Gate.objects.select_for_update().filter(pk=1))
