"""Tickets and their states. The rows are the work queue: `available_at` says when a worker may take a new one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.db import models, transaction
from django.db.models.functions import Now, Substr
from django.dispatch import Signal
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.database import search
from classifier.models.lease import Leasable, LeasableQuerySet
from classifier.models.taxonomy import Category, Sentiment
from classifier.text import excerpt, key_from, storable

tickets_arrived = Signal()
"""Sent after the commit that stored new tickets, with their `ticket_pks` (none where a chunk does not know them) and
whether they came in `bulk`.
"""

state_changed = Signal()
"""Sent inside the transaction in which the classifier has moved tickets to another state, with `ticket_pks`, `state`.

Who listens writes along with it, or stops it by raising.
"""

history_requested = Signal()
"""Sent when a `ticket`'s history is told; who listens returns further events of it, as `(kind, event)` pairs."""


_VISIBLY_IN_REVIEW = models.Q(state="needs_review") | models.Q(sealed=True)


class MessageField(models.TextField[str, str]):
    """Text from strangers; characters that no database stores are replaced before saving."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return storable(value) if isinstance(value, str) else value


class TicketQuerySet(LeasableQuerySet["Ticket"]):
    def new(self) -> "TicketQuerySet":
        return self.filter(state=Ticket.State.NEW)

    def waiting(self) -> "TicketQuerySet":
        """New tickets that a worker may take."""
        return self.new().free()

    def postponed(self) -> "TicketQuerySet":
        """New tickets that nobody holds and that are tried later."""
        return self.new().filter(owner=None, available_at__gt=Now())

    def in_state(self, state: str) -> "TicketQuerySet":
        return self.filter(state=state)

    def in_visible_state(self, state: str) -> "TicketQuerySet":
        """The tickets whose `visible_state` this is."""
        if state == Ticket.State.NEEDS_REVIEW:
            return self.filter(_VISIBLY_IN_REVIEW)
        return self.filter(state=state, sealed=False)

    def sealed(self) -> "TicketQuerySet":
        """Tickets that people still label blind: nobody may see what models or people answered, or what followed."""
        return self.filter(sealed=True)

    def with_excerpts(self) -> "TicketQuerySet":
        """Read the start of each text, for `excerpt`, in place of the whole, which may be long."""
        return self.annotate(beginning=Substr("text", 1, 1_000)).defer("text")

    def sources(self, most: int = 50) -> list[str]:
        """Distinct sources in alphabetical order, one index look-up each (so many queries, plus one)."""
        sources: list[str] = []
        after = self.order_by("source").values_list("source", flat=True)
        while len(sources) < most and (source := after.filter(source__gt=sources[-1] if sources else "").first()):
            sources.append(source)
        return sources

    def search(self, typed: str) -> "TicketQuerySet":
        """The latest tickets that contain all these words or words that begin with them; all tickets if nothing typed
        is a word.
        """
        wanted = search.search_words(typed)
        return self.filter(pk__in=search.matching_tickets(wanted, self.db)) if wanted else self

    def count_to(self, most: int = 1_000) -> str:
        """The number as text; counting stops at `most`, so that no page gets slower as the table grows."""
        number = self.order_by()[:most].count()
        return str(number) if number < most else f"{most - 1:,}+"

    def bulk_create(self, objs: "Iterable[Ticket]", *args: Any, **kwargs: Any) -> "list[Ticket]":
        """Like Django's; announces the arrival after the commit, as `save` does."""
        created = super().bulk_create(objs, *args, **kwargs)
        if created:
            bulk = all(ticket.bulk for ticket in created)
            transaction.on_commit(lambda: _announce([], bulk), robust=True)
        return created


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """Tickets, newest first, and the key before which the next page starts. Paging by key makes the last page as fast
    as the first.
    """

    tickets: "list[Ticket]"
    next_before: int | None

    @classmethod
    def load(cls, tickets: TicketQuerySet, *, before: str = "", size: int = 50) -> "TicketPage":
        """The tickets whose key is below `before`; anything but a number means the first page."""
        if key := key_from(before):
            tickets = tickets.filter(pk__lt=key)
        rows = list(tickets.order_by("-pk")[: size + 1])
        return cls(tickets=rows[:size], next_before=rows[size - 1].pk if len(rows) > size else None)


class Ticket(Leasable):
    class State(models.TextChoices):
        NEW = "new", _("new")
        AUTO_ACCEPTED = "auto_accepted", _("auto-accepted")
        NEEDS_REVIEW = "needs_review", _("needs review")
        SETTLED = "settled", _("settled")

    source = models.CharField(_("source"), max_length=50, default="app")
    # Null rather than empty, since a source may have many tickets without one.
    external_id = models.CharField(_("external id"), max_length=200, null=True, blank=True)  # noqa: DJ001
    text = MessageField(_("text"))
    customer = models.CharField(_("customer"), max_length=254, blank=True)
    channel = models.CharField(_("channel"), max_length=40, blank=True)
    language = models.CharField(_("language"), max_length=20, blank=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.NEW, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    # Part of a large batch, which nobody waits for: single tickets are classified first.
    bulk = models.BooleanField(default=False, db_default=False, editable=False)
    # The label and the answers to attributes that people settled on.
    category = models.ForeignKey(Category, models.PROTECT, null=True, editable=False, related_name="settled_tickets")
    sentiment = models.ForeignKey(Sentiment, models.PROTECT, null=True, editable=False, related_name="settled_tickets")
    attributes = models.JSONField(default=dict, db_default={}, editable=False)
    further_categories = models.JSONField(
        default=list, db_default=[], editable=False, help_text="Primary keys of categories besides the main one."
    )
    sealed = models.BooleanField(
        default=False, editable=False, help_text=_("The models' answers stay hidden until everyone asked has answered.")
    )
    erased_at = models.DateTimeField(_("erased"), null=True, editable=False)

    objects = TicketQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="ticket_once_per_source"),
            models.CheckConstraint(condition=~models.Q(text=""), name="ticket_has_text"),
            models.CheckConstraint(
                condition=models.Q(state__in=["new", "auto_accepted", "needs_review", "settled"]),
                name="ticket_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="settled", category__isnull=False, sentiment__isnull=False)
                | (~models.Q(state="settled") & models.Q(category__isnull=True, sentiment__isnull=True)),
                name="ticket_settled_has_label",
            ),
            models.CheckConstraint(
                condition=models.Q(state="settled") | models.Q(attributes={}), name="ticket_attributes_where_settled"
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-id"], condition=~models.Q(customer=""), name="ticket_customer"),
            models.Index(fields=["source", "-id"], name="ticket_by_source"),
            models.Index(fields=["received_at"], name="ticket_by_time"),
            models.Index(fields=["bulk", "available_at"], condition=models.Q(state="new"), name="ticket_new"),
            models.Index(
                fields=["available_at"], condition=models.Q(state="new", owner__isnull=False), name="ticket_held"
            ),
            models.Index(fields=["id"], condition=_VISIBLY_IN_REVIEW, name="ticket_needs_review"),
            models.Index(fields=["id"], condition=models.Q(sealed=True), name="ticket_sealed"),
            models.Index(fields=["id"], condition=models.Q(state="auto_accepted"), name="ticket_auto_accepted"),
            models.Index(fields=["id"], condition=models.Q(state="settled"), name="ticket_settled"),
            models.Index(
                fields=["received_at"],
                condition=models.Q(state__in=["auto_accepted", "settled"], erased_at=None),
                name="ticket_kept_since",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.excerpt()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        arrives = self._state.adding
        super().save(*args, **kwargs)
        if arrives:
            # The ticket is already stored, and the sweep makes up for a failed nudge.
            transaction.on_commit(lambda: _announce([self.pk], self.bulk), robust=True)

    def get_absolute_url(self) -> str:
        return reverse("classifier:ticket", args=[self.pk])

    def history(self) -> list[tuple[str, Any]]:
        """All events of the ticket as (kind, event), oldest first (three queries plus those of `history_requested`
        receivers).
        """
        predictions = self.predictions.select_related("language_model", "contract", "category", "sentiment")
        failures = self.failures.select_related("language_model", "contract")
        verdicts = self.verdicts.select_related("epoch")
        events: list[tuple[str, Any]] = [("prediction", prediction) for prediction in predictions]
        events += [("failure", failure) for failure in failures]
        events += [("verdict", verdict) for verdict in verdicts]
        for _listener, further in history_requested.send(Ticket, ticket=self):
            events += cast("list[tuple[str, Any]]", further)
        return sorted(events, key=lambda event: event[1].created_at)

    @property
    def visible_state(self) -> State:
        """The state that pages show; a sealed ticket does not reveal whether it would have been auto-accepted."""
        return self.State.NEEDS_REVIEW if self.sealed else self.State(self.state)

    def excerpt(self, length: int = 60) -> str:
        """The first words; a ticket that came `with_excerpts` needs no more of its text."""
        beginning: str | None = vars(self).get("beginning")
        return excerpt(self.text if beginning is None else beginning, length)


class WholeMessage(models.Model):
    """The whole message of a ticket whose `text` leaves out a quoted thread or a signature."""

    ticket = models.OneToOneField(Ticket, models.CASCADE, primary_key=True, related_name="whole_message")
    text = MessageField(_("whole message"))

    def __str__(self) -> str:
        return str(self.ticket_id)


def _announce(ticket_pks: Sequence[int], bulk: bool) -> None:
    tickets_arrived.send(Ticket, ticket_pks=list(ticket_pks), bulk=bulk)
