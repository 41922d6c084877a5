"""The door for help desks: they knock without a session, and show by a signature who they are."""

import json
import logging

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from classifier.integrations.helpdesks import inbound
from classifier.integrations.helpdesks.base import NotAnEvent
from classifier.integrations.helpdesks.registry import ADAPTERS
from classifier.models import HelpDesk
from classifier.security.secrets_from_env import secret_or_empty

logger = logging.getLogger(__name__)

MOST_BYTES = 1_048_576


@csrf_exempt
@login_not_required
@require_POST
def receive_event(request: HttpRequest, slug: str) -> HttpResponse:
    """An event of the help desk of this short name. What is about something else is taken and left at that."""
    desk = HelpDesk.objects.active().filter(slug=slug).first()
    if desk is None:
        raise Http404
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        return _say(f"At most {MOST_BYTES:,} bytes are taken.", 413)
    secret = secret_or_empty(desk.secret_env)
    if not secret:
        logger.error("%s is not set: what the help desk %s sends cannot be checked.", desk.secret_env, desk.slug)
        return _say("The secret is not set up here yet; try again later.", 503)
    if not ADAPTERS[desk.kind].is_signed(request.headers, request.body, secret):
        return _say("The signature is wrong, or too old.", 401)
    try:
        taken = inbound.store_event(desk, json.loads(request.body))
    except (NotAnEvent, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, NotAnEvent) else "it is no JSON"
        return _say(f"This is no event of {desk.get_kind_display()}: {reason}.", 400)
    return _say("Taken.", 202) if taken else _say("Nothing to do.", 200)


def _say(sentence: str, status: int) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", "text/plain; charset=utf-8", status)
