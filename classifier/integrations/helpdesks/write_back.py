"""Writes the latest label and state of tickets back to the help desks that they came from."""

from collections.abc import Mapping, Sequence

from classifier.integrations.helpdesks.base import ApiAccess
from classifier.integrations.helpdesks.registry import ADAPTERS
from classifier.integrations.outbox import OutboxRoute, OutgoingRequest
from classifier.integrations.webhooks import payloads
from classifier.integrations.webhooks.payloads import TicketPayload
from classifier.models import HelpDesk, WriteBack
from classifier.security import secrets_from_env

GONE = (404, 410)


def queue_updates(tickets: Sequence[TicketPayload], desks: Mapping[str, HelpDesk]) -> None:
    """Queue a write-back for each ticket that came from one of these help desks, by their short names."""
    origins = {
        ticket.ticket: desks[ticket.source] for ticket in tickets if ticket.external_id and ticket.source in desks
    }
    if origins:
        rows = [WriteBack(destination=help_desk, ticket_id=pk) for pk, help_desk in origins.items()]
        WriteBack.objects.bulk_create(rows, ignore_conflicts=True)
        WriteBack.objects.filter(ticket__in=origins).requeue()


def build_request(row: WriteBack) -> OutgoingRequest:
    """The request that updates the ticket's fields; none if they are up to date. Raises MissingSecret."""
    help_desk: HelpDesk = row.destination
    token = secrets_from_env.require_secret(help_desk.token_env)
    (ticket,) = payloads.ticket_payloads([row.ticket_id])
    fields = _fields(help_desk, ticket)
    if fields == row.written or not fields:
        return OutgoingRequest(None)
    access = ApiAccess(base_url=help_desk.base_url, account=help_desk.account, token=token)
    request = ADAPTERS[help_desk.kind].update_request(access, ticket.external_id or "", fields)
    return OutgoingRequest(request, {"written": fields})


def _fields(help_desk: HelpDesk, ticket: TicketPayload) -> dict[str, str]:
    """Values by the help desk's field names; unknown values are left out, so those fields stay as they are."""
    values = {
        help_desk.category_field: ticket.category,
        help_desk.further_categories_field: "; ".join(ticket.further_categories),
        help_desk.sentiment_field: ticket.sentiment,
        help_desk.state_field: ticket.state,
    }
    return {name: value for name, value in values.items() if name and value}


def is_gone(_row: WriteBack, status: int) -> bool:
    """Whether the ticket no longer exists in the help desk."""
    return status in GONE


ROUTE = OutboxRoute(rows=WriteBack, build_request=build_request, is_permanent_failure=is_gone)
