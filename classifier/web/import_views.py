"""The pages that import files of tickets."""

from typing import cast

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from classifier.ingest import ticket_imports
from classifier.ingest.readers.text_lines import UnreadableFile
from classifier.models.file_import import FileImport, TicketImport
from classifier.tasks import run_ticket_import
from classifier.web import import_pages
from classifier.web.import_forms import TicketReadingForm, TicketUploadForm

LATEST = 5
PAGE = "classifier/ticket_import.html"

imports_tickets = permission_required(("classifier.add_ticket", "review.benchmark"), raise_exception=True)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@imports_tickets
def import_tickets(request: HttpRequest) -> HttpResponse:
    """Store a file and have a worker read it, without storing any ticket yet."""
    form = TicketUploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            stored = ticket_imports.store(**form.cleaned_data, by=cast(User, request.user))
        except UnreadableFile as error:
            form.add_error("file", str(error))
        else:
            run_ticket_import.enqueue(stored.pk)
            return redirect(stored)
    idle = TicketImport.objects.exclude(state=FileImport.State.FINISHED, dry_run=False)
    status = 422 if request.method == "POST" else 200
    return render(request, "classifier/import_tickets.html", {"form": form, "imports": idle[:LATEST]}, status=status)


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@imports_tickets
def ticket_import(request: HttpRequest, pk: int) -> HttpResponse:
    return import_pages.show(request, get_object_or_404(TicketImport, pk=pk), TicketReadingForm, PAGE)


@require_POST
@imports_tickets
def read_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Read the file with another encoding or other columns, or import it."""
    shown = get_object_or_404(TicketImport, pk=pk)
    return import_pages.read_again(request, shown, TicketReadingForm, PAGE, run_ticket_import)
