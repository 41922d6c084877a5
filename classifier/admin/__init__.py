"""Django admin: the taxonomy, the models and their roles, tickets and what was said of them."""

from django.contrib import admin

from . import access, drafts, integrations, labels, learned, scores, specs, tickets

__all__ = ["access", "drafts", "integrations", "labels", "learned", "scores", "specs", "tickets"]

admin.site.site_header = admin.site.site_title = "ticketclf"
