"""Error pages that Django does not have."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error as stock_server_error

RETRY_SECONDS = 60


def server_error(request: HttpRequest) -> HttpResponse:
    """503 with Retry-After if the database is not available, else 500. Neither page needs the database."""
    if not isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return stock_server_error(request)
    return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": str(RETRY_SECONDS)})
