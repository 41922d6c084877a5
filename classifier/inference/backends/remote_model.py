"""Describes a model behind a URL. Standard library only."""

from collections.abc import Callable
from dataclasses import dataclass, field

Resolver = Callable[[str, int], list[str]]
"""Of a host and a port: where a connection may go. Raises OSError where there is nothing, and whatever refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """Where a model is, how it is called there, and its limits: seconds per request, and requests at a time.

    `addresses` resolves its host to allowed addresses.
    """

    base_url: str
    name: str
    key_variable: str
    key: str = field(default="", repr=False)
    timeout: float
    max_in_flight: int
    addresses: Resolver
