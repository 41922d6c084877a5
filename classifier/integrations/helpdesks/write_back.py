"""What became of a ticket is written back to the help desk it came from: its last standing, whatever came between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from classifier.integrations.helpdesks.base import ApiAccess
from classifier.integrations.helpdesks.registry import ADAPTERS
from classifier.integrations.outbox import OutboxRoute, OutgoingRequest
from classifier.integrations.webhooks import payloads
from classifier.integrations.webhooks.payloads import TicketPayload
from classifier.models import HelpDesk, WriteBack
from classifier.security import secrets_from_env

GONE = (404, 410)


def queue_updates(standing: Sequence[TicketPayload], desks: Mapping[str, HelpDesk]) -> None:
    """Have it written, for those of these tickets that came from one of these desks, by their short names; part of the
    transaction that brought the tickets there.
    """
    own = {one.ticket: desks[one.source] for one in standing if one.external_id and one.source in desks}
    if own:
        rows = [WriteBack(destination=desk, ticket_id=ticket) for ticket, desk in own.items()]
        WriteBack.objects.bulk_create(rows, ignore_conflicts=True)
        WriteBack.objects.filter(ticket__in=own).requeue()


def build_request(row: WriteBack) -> OutgoingRequest:
    """The request that makes the desk's fields say how the ticket stands; none where they do. Raises Missing."""
    desk: HelpDesk = row.destination
    token = secrets_from_env.require_secret(desk.token_env)
    (standing,) = payloads.ticket_payloads([row.ticket_id])
    fields = _fields(desk, standing)
    if fields == row.written or not fields:
        return OutgoingRequest(None)
    access = ApiAccess(base_url=desk.base_url, account=desk.account, token=token)
    return OutgoingRequest(
        ADAPTERS[desk.kind].update_request(access, standing.external_id or "", fields), {"written": fields}
    )


def _fields(desk: HelpDesk, standing: TicketPayload) -> dict[str, str]:
    """By the desk's names; what is not known stays as it is there."""
    values = {
        desk.category_field: standing.category,
        desk.sentiment_field: standing.sentiment,
        desk.state_field: standing.state,
    }
    return {name: value for name, value in values.items() if name and value}


def is_gone(_row: WriteBack, status: int) -> bool:
    """The ticket is there no more."""
    return status in GONE


ROUTE = OutboxRoute(rows=WriteBack, going=build_request, is_final=is_gone)
