"""Reads the options of a drop-down field from a help desk, as labels for the taxonomy."""

import http.client
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from django.utils.translation import gettext as _

from classifier.integrations.helpdesks.base import ApiAccess
from classifier.integrations.helpdesks.registry import ADAPTERS
from classifier.integrations.http_request import TIMEOUT
from classifier.models import HelpDesk
from classifier.security import secrets_from_env, ssrf

LARGEST_RESPONSE = 10 * 1024**2
"""Bytes; some help desks only list all fields at once."""

Path = tuple[str, ...]


class FieldUnavailable(Exception):
    """The options cannot be read; the message says why."""


def read(help_desk: HelpDesk, field: str) -> list[Path]:
    """The options of a field, each with those above it. Raises FieldUnavailable."""
    try:
        token = secrets_from_env.require_secret(help_desk.token_env)
        access = ApiAccess(base_url=help_desk.base_url, account=help_desk.account, token=token)
        adapter = ADAPTERS[help_desk.kind]
        payload = _fetch(adapter.options_request(access, field))
    except secrets_from_env.MissingSecret as error:
        raise FieldUnavailable(str(error)) from error
    options = adapter.parse_options(payload, field)
    if not options:
        names = {"help_desk": help_desk, "field": field}
        raise FieldUnavailable(_("%(help_desk)s has no drop-down field %(field)s with options.") % names)
    return options


def _fetch(request: Request) -> Any:
    """The JSON of the response. Raises FieldUnavailable, without the address or the body, which may hold secrets."""
    try:
        with ssrf.open_url(request, TIMEOUT) as response:
            content = response.read(LARGEST_RESPONSE + 1)
        if len(content) > LARGEST_RESPONSE:
            raise FieldUnavailable(_("The help desk's response is too large."))
        return json.loads(content)
    except HTTPError as refusal:
        with refusal:
            raise FieldUnavailable(_("The help desk refused: %s.") % f"{refusal.code} {refusal.reason}") from refusal
    except ssrf.ForbiddenAddress as refused:
        raise FieldUnavailable(str(refused)) from refused
    except (OSError, http.client.HTTPException) as fault:
        raise FieldUnavailable(_("The help desk did not answer: %s.") % type(fault).__name__) from fault
    except (ValueError, RecursionError) as error:
        raise FieldUnavailable(_("The help desk's response could not be read.")) from error
