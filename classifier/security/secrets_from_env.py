"""Reads secrets from environment variables; the database holds only the variables' names.

An admin names the variable and the server that its value is sent to, so the operator says which ones may be named.
"""

import os
import re
from fnmatch import fnmatchcase

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_OTHERS = (
    # of the installation itself
    *("TICKETCLF_*", "DATABASE_URL", "PG*", "POSTGRES_*"),
    # of clouds, clusters and builds
    *("AWS_*", "AZURE_CLIENT_*", "AZURE_TENANT_*", "ARM_*", "GOOGLE_APPLICATION_*", "GOOGLE_CLIENT_*", "GCP_*"),
    *("CLOUDSDK_*", "ALIBABA*", "ALICLOUD_*", "TENCENTCLOUD_*", "OCI_*", "IBMCLOUD_*", "DIGITALOCEAN_*", "HCLOUD_*"),
    *("LINODE_*", "SCW_*", "OS_*", "CLOUDFLARE_*", "HEROKU_*", "FLY_*", "KUBE*", "K8S_*", "VAULT_*", "CONSUL_*"),
    *("GITHUB_*", "GH_*", "GITLAB_*", "CI_*", "DOCKER_*", "NPM_*", "NODE_AUTH_*", "TWINE_*", "PYPI_*", "SENTRY_*"),
)


def validate_variable_name(name: str) -> None:
    """Raises ValidationError for an invalid variable name, or one that the operator does not allow."""
    if not _NAME.fullmatch(name):
        raise ValidationError(_("Enter the name of an environment variable, not the secret itself."))
    if not _is_allowed(name):
        allowed = {"name": name, "patterns": ", ".join(settings.SECRET_VARIABLES)}
        raise ValidationError(
            _("%(name)s may not be used here. TICKETCLF_SECRET_VARIABLES allows: %(patterns)s.") % allowed
        )


def _is_allowed(name: str) -> bool:
    """Whether the operator's setting covers it; a pattern covers no secret of the installation or of a cloud."""
    if name in settings.SECRET_VARIABLES and not name.startswith("TICKETCLF_"):
        return True
    covered = any(fnmatchcase(name, pattern) for pattern in settings.SECRET_VARIABLES)
    return covered and not any(fnmatchcase(name, pattern) for pattern in _OTHERS)


class MissingSecret(Exception):
    """The message names the variable that must be set."""


def secret_or_empty(variable: str) -> str:
    """The secret in this variable; empty if it is not set or not allowed."""
    return os.environ.get(variable, "").strip() if variable and _is_allowed(variable) else ""


def require_secret(variable: str) -> str:
    """The same. Raises MissingSecret if it is empty."""
    if value := secret_or_empty(variable):
        return value
    if variable and not _is_allowed(variable):
        raise MissingSecret(_("TICKETCLF_SECRET_VARIABLES does not allow the variable %s.") % variable)
    raise MissingSecret(_("The environment variable %s is not set for the workers.") % (variable or "–"))
