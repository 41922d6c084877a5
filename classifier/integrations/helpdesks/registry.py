"""The supported help desks, one adapter module each."""

from classifier.integrations.helpdesks import chatwoot, freshdesk, intercom, zammad, zendesk
from classifier.integrations.helpdesks.base import HelpDeskAdapter

ADAPTERS: dict[str, HelpDeskAdapter] = {
    "zendesk": zendesk,
    "freshdesk": freshdesk,
    "intercom": intercom,
    "zammad": zammad,
    "chatwoot": chatwoot,
}
