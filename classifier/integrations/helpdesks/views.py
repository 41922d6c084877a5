"""Receives help-desk webhooks, which are authenticated by their signatures."""

import json
import logging

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from classifier.integrations.helpdesks import inbound
from classifier.integrations.helpdesks.base import NotAnEvent
from classifier.integrations.helpdesks.registry import ADAPTERS
from classifier.models import HelpDesk
from classifier.security.secrets_from_env import secret_or_empty

logger = logging.getLogger(__name__)

MAX_EVENT_BYTES = 5_000_000
"""Messages may hold images."""


@csrf_exempt
@login_not_required
@require_http_methods(["POST", "HEAD"])
def receive_event(request: HttpRequest, slug: str) -> HttpResponse:
    """Store the ticket of an event. Events about anything else get 200 and are ignored."""
    help_desk = HelpDesk.objects.active().filter(slug=slug).first()
    if help_desk is None:
        raise Http404
    if request.method == "HEAD":  # Intercom checks the address with it
        return _text_response("", 200)
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > MAX_EVENT_BYTES):
        return _text_response(f"The limit is {MAX_EVENT_BYTES:,} bytes.", 413)
    secret = secret_or_empty(help_desk.secret_env)
    if not secret:
        logger.error(
            "%s is not set, so events from the help desk %s cannot be verified.", help_desk.secret_env, help_desk.slug
        )
        return _text_response("The secret is not configured yet. Try again later.", 503)
    if not ADAPTERS[help_desk.kind].is_signed(request.headers, request.body, secret):
        return _text_response("The signature is invalid or expired.", 401)
    try:
        stored = inbound.store_event(help_desk, json.loads(request.body))
    except (NotAnEvent, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, NotAnEvent) else "it is not JSON"
        return _text_response(f"Not an event of {help_desk.get_kind_display()}: {reason}.", 400)
    return _text_response("Stored.", 202) if stored else _text_response("Ignored.", 200)


def _text_response(sentence: str, status: int) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", "text/plain; charset=utf-8", status)
