"""The review screen without a browser: its URLs, its form, and sending an answer."""

import re

from django.test import Client
from django.urls import reverse

from classifier.models import Category

SCREEN, WORK = reverse("review:screen"), reverse("review:lead_screen")
DECIDE, UNDO, RENEW_LEASE = reverse("review:decide"), reverse("review:undo"), reverse("review:renew_lease")
HTMX = {"HX-Request": "true"}


def category(name: str) -> Category:
    return Category.objects.get(name=name)


def fields(content: str) -> dict[str, str]:
    """The values that a browser would send from the card's form."""
    form = content.split('<form id="answer"')[1].split("</form>")[0]
    inputs = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) | {"_": tag} for tag in re.findall(r"<input[^>]*>", form)]
    return {
        field["name"]: field.get("value", "")
        for field in inputs
        if field.get("type") not in ("radio", "checkbox") or re.search(r"\schecked[\s>]", field["_"])
    }


def shown(client: Client, url: str = SCREEN) -> dict[str, str]:
    response = client.get(url)
    assert response.status_code == 200
    return fields(response.content.decode())


def send(client: Client, answer: dict[str, str], **changes: str) -> str:
    """Send an answer and return htmx's response."""
    response = client.post(DECIDE, answer | changes, headers=HTMX)
    assert response.status_code == 200, response.content.decode()
    return str(response.content.decode())
