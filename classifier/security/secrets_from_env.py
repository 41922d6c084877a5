"""Reads secrets from environment variables; the database holds only the variables' names."""

import os
import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_OWN = ("TICKETCLF_", "DATABASE_URL", "PGPASS")
"""Secrets of the installation itself, which no row may send elsewhere."""


def validate_variable_name(name: str) -> None:
    """Raises ValidationError for an invalid or reserved variable name."""
    if not _NAME.fullmatch(name):
        raise ValidationError(_("Enter the name of an environment variable, not the secret itself."))
    if name.startswith(_OWN):
        raise ValidationError(_("%s is reserved for the installation itself. Use another name.") % name)


class MissingSecret(Exception):
    """The message names the variable that must be set."""


def secret_or_empty(variable: str) -> str:
    """The secret in this variable; empty if it is not set or reserved."""
    return "" if not variable or variable.startswith(_OWN) else os.environ.get(variable, "").strip()


def require_secret(variable: str) -> str:
    """The same. Raises MissingSecret if it is empty."""
    if value := secret_or_empty(variable):
        return value
    raise MissingSecret(_("The environment variable %s is not set for the workers.") % (variable or "–"))
