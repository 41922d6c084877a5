"""What the pages of imports do, whatever their files hold."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django_tasks.base import Task

from classifier.ingest import uploads
from classifier.models.file_import import FileImport
from classifier.web.upload_forms import FileReadingForm

FormOf = Callable[..., FileReadingForm]
"""Makes the form of an import, bound to data if there is any."""


def show(request: HttpRequest, shown: FileImport, form_of: FormOf, template: str) -> HttpResponse:
    """The import's page; for htmx its progress, or a refresh once it has ended."""
    by_htmx = "HX-Request" in request.headers
    if by_htmx and shown.state != FileImport.State.RUNNING:
        return HttpResponse(headers={"HX-Refresh": "true"})
    form = form_of(shown) if shown.parts.exists() else None
    return _page(request, shown, form, "classifier/_import_progress.html" if by_htmx else template)


def read_again(
    request: HttpRequest, shown: FileImport, form_of: FormOf, template: str, task: Task[..., Any]
) -> HttpResponse:
    """Have `task` read the file with another encoding or other columns, or import it."""
    form = form_of(shown, request.POST)
    if not form.is_valid():
        return _page(request, shown, form, template, status=422)
    if uploads.run_again(shown, **form.chosen, dry_run="import" not in request.POST):
        task.enqueue(shown.pk)
    return redirect(shown)


def _page(
    request: HttpRequest, shown: FileImport, form: FileReadingForm | None, template: str, *, status: int = 200
) -> HttpResponse:
    return render(request, template, {"import": shown, "form": form, "sample": form and form.sample}, status=status)
