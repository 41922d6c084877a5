"""The HTTP API, put together: its doors, its errors, its schema and the page that shows it."""

from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from ninja import NinjaAPI

from classifier.api import classify, problems, taxonomy, tickets
from classifier.api.parser import JsonParser
from review.api import benchmark, certificates, datasets, decisions

DESCRIPTION = """
Classify support tickets, store and read them, decide about them, and read what is known of the models.

Every request bears a key, made in the admin under *API keys*: `Authorization: Bearer KEY`. Every error is a problem
(RFC 9457). Lists go on by `cursor`. A POST with an `Idempotency-Key` may be sent again.
"""

api = NinjaAPI(title="ticketclf", version="1", description=DESCRIPTION, urls_namespace="api", parser=JsonParser())
problems.add_problem_handlers(api)
for part in (classify, tickets, taxonomy, decisions, benchmark, datasets, certificates):
    api.add_router("", part.router)

urls = api.urls
for pattern in urls[0]:
    # Keys are asked for by the operations themselves; schema and page tell nothing of an installation.
    login_not_required(cast(Any, pattern).callback)
