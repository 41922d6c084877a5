"""Django admin of the classifier."""

from django.contrib import admin

from classifier.admin import (
    api_keys,
    attributes,
    drafts,
    integrations,
    labels,
    language_models,
    scoring,
    specialist,
    tickets,
)

__all__ = [
    "api_keys",
    "attributes",
    "drafts",
    "integrations",
    "labels",
    "language_models",
    "scoring",
    "specialist",
    "tickets",
]

admin.site.site_header = admin.site.site_title = "ticketclf"
