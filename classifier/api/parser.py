"""Reads request bodies, which must be JSON."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from classifier.api.problems import Problem


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """The decoded body. Raises Problem."""
        if request.content_type != "application/json":
            raise Problem(415, "Send JSON: Content-Type: application/json.")
        try:
            return json.loads(request.body, parse_constant=_reject_constant)
        except (ValueError, RecursionError) as error:
            raise Problem(400, f"The body is not JSON: {error}") from error


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON.")
