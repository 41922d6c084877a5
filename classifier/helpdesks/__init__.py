"""Help desks: tickets come from them by webhooks, and what becomes of these is written back. One module each."""

from . import chatwoot, freshdesk, intercom, zammad, zendesk
from .base import Desk

DESKS: dict[str, Desk] = {
    "zendesk": zendesk,
    "freshdesk": freshdesk,
    "intercom": intercom,
    "zammad": zammad,
    "chatwoot": chatwoot,
}
