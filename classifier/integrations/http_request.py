"""One request to somebody else's server, and how it went. Neither address nor answer is kept: both may hold secrets."""

import http.client
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request

from classifier.retry_after import retry_after
from classifier.security import ssrf

TIMEOUT = 10.0
"""Seconds for each step of a call."""

_BUSY = {408, 425, 429}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResult:
    """The answer's status, or None where there was none, and what went wrong; `retry_after` in seconds."""

    status: int | None = None
    error: str = ""
    retry_after: float = 0.0

    @property
    def went(self) -> bool:
        return not self.error

    @property
    def is_fault(self) -> bool:
        """Of the server as a whole, whatever it was sent."""
        return self.status is None or self.status >= 500 or self.status in _BUSY


def send(request: Request) -> HttpResult:
    """Only the status counts; the body is not read."""
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
        # The library quotes the header that it refuses.
        return HttpResult(error="A secret or token has characters that no header may have; look at its variable.")
