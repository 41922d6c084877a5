"""Sends one HTTP request. Neither address nor response body is stored, since both may hold secrets."""

import http.client
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request

from classifier.retry_after import retry_after
from classifier.security import ssrf

TIMEOUT = 10.0
"""Seconds for connecting, sending and reading the response's head."""

_BUSY = {408, 425, 429}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResult:
    """The response status (None without a response) and the error; `retry_after` in seconds."""

    status: int | None = None
    error: str = ""
    retry_after: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.error

    @property
    def is_server_failure(self) -> bool:
        """Whether any other request would fail as well."""
        return self.status is None or self.status >= 500 or self.status in _BUSY


def send(request: Request) -> HttpResult:
    """Send the request. The response body is not read."""
    try:
        with ssrf.open_url(request, TIMEOUT) as response:
            return HttpResult(status=response.status)
    except HTTPError as refusal:
        with refusal:
            return HttpResult(
                status=refusal.code,
                error=f"{refusal.code} {refusal.reason}",
                retry_after=retry_after(refusal.headers) or 0.0,
            )
    except ssrf.ForbiddenAddress as refused:
        return HttpResult(error=str(refused))
    except (OSError, http.client.HTTPException) as fault:
        return HttpResult(error=f"{type(fault).__name__}: {fault}")
    except ValueError:
        # The library's message would quote the header.
        return HttpResult(error="A secret or token is not allowed in a header. Check its variable.")
