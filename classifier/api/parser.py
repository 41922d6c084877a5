"""How the API reads bodies: JSON and nothing else."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from classifier.api.problems import Problem


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """Raises Problem."""
        if request.content_type != "application/json":
            raise Problem(415, "Send JSON: Content-Type: application/json.")
        try:
            return json.loads(request.body, parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            raise Problem(400, f"The body is not JSON: {error}") from error


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON.")
