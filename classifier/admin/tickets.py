"""Tickets, predictions, verdicts and other records in the admin."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from classifier.admin.editing import EditAdmin, EditForm
from classifier.database import search
from classifier.ingest import storing
from classifier.models import ContractVersion, Epoch, Erasure, Failure, Prediction, Ticket, Verdict
from classifier.models.ticket import TicketQuerySet
from classifier.models.verdict import with_current_verdicts
from classifier.privacy import erasure
from classifier.taxonomy import label_changes
from classifier.tickets.status import TicketStatus
from classifier.web.pagination import BoundedPaginator

MOST_AT_ONCE = 1_000
"""Tickets that one action erases; the command takes any number."""


class _ReadOnlyMixin:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_ReadOnlyMixin, admin.ModelAdmin):
    """Records are read-only. Those of sealed tickets are left out."""

    paginator = BoundedPaginator
    show_full_result_count = False
    ticket_path = ""
    """The lookup of a record's ticket; empty for records that reveal nothing about one."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        records: QuerySet[Any] = super().get_queryset(request)
        sealed = Ticket.objects.sealed().values("pk")
        return records.exclude(**{f"{self.ticket_path}__in": sealed}) if self.ticket_path else records

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    ticket_path = "ticket"
    list_display = ("ticket_id", "language_model", "category", "sentiment", "confidence", "latency_ms", "created_at")
    list_select_related = ("language_model", "category", "sentiment")
    raw_id_fields = ("ticket",)


@admin.register(Failure)
class FailureAdmin(ReadOnlyAdmin):
    ticket_path = "ticket"
    list_display = ("ticket_id", "language_model", "kind", "detail", "created_at")
    list_filter = ("kind",)
    list_select_related = ("language_model",)


@admin.register(Verdict)
class VerdictAdmin(ReadOnlyAdmin):
    ticket_path = "ticket"
    list_display = ("ticket_id", "auto_accepted", "reason", "current", "created_at")
    list_filter = ("reason",)


@admin.register(ContractVersion)
class ContractVersionAdmin(ReadOnlyAdmin):
    list_display = ("digest", "created_at")


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    list_display = ("language_model", "contract", "mode", "threshold", "certified_threshold", "started_at", "ended_at")
    list_select_related = ("language_model", "contract")


class RecordInline(_ReadOnlyMixin, admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True


class PredictionInline(RecordInline):
    model = Prediction
    fields = readonly_fields = (
        "language_model",
        "category",
        "sentiment",
        "confidence",
        "reasoning",
        "latency_ms",
        "created_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("language_model", "category", "sentiment")


class FailureInline(RecordInline):
    model = Failure
    fields = readonly_fields = ("language_model", "kind", "detail", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("language_model")


class VerdictInline(RecordInline):
    model = Verdict
    fields = readonly_fields = ("auto_accepted", "reason", "current", "created_at")


class StateFilter(admin.SimpleListFilter):
    """By the state that pages show."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Ticket.State.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        tickets: TicketQuerySet = queryset
        state = self.value()
        return tickets.in_visible_state(state) if state else tickets


class SourceFilter(admin.SimpleListFilter):
    """Django's own filter would scan every row for sources."""

    title = _("source")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(source, source) for source in Ticket.objects.sources()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(source=self.value()) if self.value() else queryset


class TicketAdminForm(EditForm):
    def clean_text(self) -> str:
        # Browsers send line breaks as CRLF.
        return storing.validated_text(self.cleaned_data["text"].replace("\r\n", "\n"))

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None


@admin.register(Ticket)
class TicketAdmin(EditAdmin):
    form = TicketAdminForm
    list_display = ("excerpt", "visible_state", "label", "reason", "source", "received_at")
    list_filter = (StateFilter, SourceFilter)
    search_fields = ("text",)
    search_help_text = _("Words of the text, or a customer or external ID in full.")
    show_full_result_count = False
    paginator = BoundedPaginator
    fields = ("text", "source", "external_id", "customer", "channel", "language", "received_at", "due_at")
    inlines = (PredictionInline, FailureInline, VerdictInline)
    actions = ("classify_again", "erase")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_current_verdicts(Ticket.objects.all()).with_excerpts()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By three look-ups in indexes, each of the latest tickets."""
        if not search_term:
            return queryset, False
        words = search.search_words(search_term)
        wanted = [Q(source__in=Ticket.objects.sources(), external_id=search_term), Q(customer=search_term)]
        wanted += [Q(pk__in=search.matching_tickets(words, queryset.db))] if words else []
        latest = [Ticket.objects.filter(condition).order_by("-pk").values_list("pk", flat=True) for condition in wanted]
        return queryset.filter(pk__in={pk for keys in latest for pk in keys[: BoundedPaginator.MOST]}), False

    def get_readonly_fields(self, request: HttpRequest, obj: Ticket | None = None) -> tuple[str, ...]:
        # The stored text is what was classified, so it is not edited.
        return ("text", "source", "external_id") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Ticket | None) -> Any:
        return self.inlines if obj and not obj.sealed else ()

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only by what reveals nothing about a sealed ticket, besides the filters."""
        harmless = ("id", "external_id", "customer", "channel", "language", "received_at")
        return lookup in ("state", "source") or lookup.split("__")[0] in harmless

    @admin.display(description=_("state"))
    def visible_state(self, ticket: Ticket) -> str:
        return str(ticket.visible_state.label)

    @admin.display(description=_("label"))
    def label(self, ticket: Ticket) -> str:
        status = TicketStatus.for_ticket(ticket)
        return f"{status.category} | {status.sentiment}" if status.category else status.instead

    @admin.display(description=_("reason"))
    def reason(self, ticket: Ticket) -> str:
        return TicketStatus.for_ticket(ticket).reason or "–"

    @admin.action(description=_("Classify again"), permissions=["change"])
    def classify_again(self, request: HttpRequest, tickets: QuerySet[Ticket]) -> None:
        count = label_changes.classify_again(Ticket.objects.filter(pk__in=tickets.values("pk")))
        text = ngettext("%d ticket will be classified again.", "%d tickets will be classified again.", count)
        self.message_user(request, text % count)

    @admin.action(description=_("Erase: take out the text wherever it stands"), permissions=["delete"])
    def erase(self, request: HttpRequest, tickets: QuerySet[Ticket]) -> HttpResponse | None:
        """Ask for confirmation, then erase."""
        if "confirmed" not in request.POST:
            context = self.admin_site.each_context(request) | {
                "title": gettext("Erase tickets"),
                "tickets_count": min(tickets.count(), MOST_AT_ONCE),
                "chosen": list(tickets.values_list("pk", flat=True)[:MOST_AT_ONCE]),
            }
            return render(request, "admin/classifier/ticket/erase.html", context)
        chosen = Ticket.objects.filter(pk__in=list(tickets.values_list("pk", flat=True)[:MOST_AT_ONCE]))
        record = erasure.erase(chosen, by=cast(User, request.user))
        self.message_user(request, gettext("Tickets erased. Below: what was changed, and what could not be."))
        return redirect("admin:classifier_erasure_change", record.pk)


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    list_display = ("at", "kind", "by")
    list_filter = ("kind",)
    list_select_related = ("by",)
