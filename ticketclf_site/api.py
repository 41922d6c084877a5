"""The HTTP API: its routers, error handlers, schema and documentation page."""

from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from ninja import NinjaAPI

from classifier.api import classify, problems, taxonomy, tickets
from classifier.api.parser import JsonParser
from review.api import benchmark, certificates, datasets, decisions

DESCRIPTION = """
Classify support tickets, store and read them, record decisions, and read how the models perform.

Send an API key with every request: `Authorization: Bearer KEY`. Keys are created in the admin under *API keys*. Errors
are problem documents (RFC 9457). Lists are paged by `cursor`. A POST with an `Idempotency-Key` can be retried safely.
"""

api = NinjaAPI(title="ticketclf", version="1", description=DESCRIPTION, urls_namespace="api", parser=JsonParser())
problems.add_problem_handlers(api)
for part in (classify, tickets, taxonomy, decisions, benchmark, datasets, certificates):
    api.add_router("", part.router)

urls = api.urls
for pattern in urls[0]:
    # Operations check API keys themselves; schema and documentation reveal nothing about an installation.
    login_not_required(cast(Any, pattern).callback)
