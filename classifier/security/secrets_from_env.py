"""Secrets stand in the environment; rows hold the names of their variables."""

import os
import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_OWN = ("TICKETCLF_", "DATABASE_URL", "PGPASS")
"""What this installation itself is opened with: a row must not have it sent elsewhere."""


def validate_variable_name(name: str) -> None:
    """Raises ValidationError for what is no name of a variable, or of one that no row may use."""
    if not _NAME.fullmatch(name):
        raise ValidationError(_("The name of an environment variable, not the secret itself."))
    if name.startswith(_OWN):
        raise ValidationError(_("%s is of this installation itself; take another name.") % name)


class MissingSecret(Exception):
    """The sentence names the variable that has to be set."""


def secret_or_empty(variable: str) -> str:
    """The secret in this variable; empty where there is none, or none that a row may use."""
    return "" if not variable or variable.startswith(_OWN) else os.environ.get(variable, "").strip()


def require_secret(variable: str) -> str:
    """The same. Raises Missing."""
    if value := secret_or_empty(variable):
        return value
    raise MissingSecret(_("The environment variable %s is not set where workers run.") % (variable or "–"))
