"""Views for datasets: create and export snapshots, import labels."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from classifier.models.contract import EmptyTaxonomy
from classifier.web import import_pages
from review.datasets import exporting, label_imports
from review.datasets.formats import labelstudio
from review.datasets.formats.registry import FORMATS
from review.datasets.forms import ExportForm, ImportForm, ReadingForm, SnapshotForm
from review.datasets.reading import UnreadableDataset
from review.datasets.tasks import run_label_import
from review.gold import counts, snapshots
from review.gold.snapshots import EmptySnapshot
from review.http import HtmxHttpRequest
from review.models import LabelImport, Snapshot

manages_datasets = permission_required("review.benchmark", raise_exception=True)

LATEST, LATEST_IMPORTS = 25, 5
IMPORT_PAGE = "review/datasets/label_import.html"


@never_cache
@require_safe
@manages_datasets
def datasets(request: HtmxHttpRequest) -> HttpResponse:
    return _overview(request, SnapshotForm(), ImportForm())


@require_POST
@manages_datasets
def create_snapshot(request: HtmxHttpRequest) -> HttpResponse:
    form = SnapshotForm(request.POST)
    if not form.is_valid():
        return _overview(request, form, ImportForm(), status=422)
    try:
        snapshot = snapshots.create_snapshot(form.cleaned_data, by=request.user)
    except EmptySnapshot:
        messages.error(request, _("No settled label matches these filters."))
        return _overview(request, form, ImportForm(), status=422)
    except EmptyTaxonomy as error:
        messages.error(request, str(error))
        return redirect("review:datasets")
    return redirect(snapshot)


@never_cache
@require_safe
@manages_datasets
def snapshot(request: HtmxHttpRequest, digest: str) -> HttpResponse:
    return _snapshot(request, _named(digest), ExportForm())


@require_POST
@manages_datasets
def delete_snapshot(request: HtmxHttpRequest, digest: str) -> HttpResponse:
    deleted = _named(digest)
    if snapshots.delete_snapshot(deleted):
        messages.success(request, _("Snapshot %s is deleted.") % deleted)
        return redirect("review:datasets")
    messages.error(request, _("A benchmark run uses this snapshot, so it stays."))
    return redirect(deleted)


@never_cache
@require_safe
@manages_datasets
def download(request: HtmxHttpRequest, digest: str) -> HttpResponseBase:
    exported, form = _named(digest), ExportForm(request.GET)
    if not form.is_valid():
        return _snapshot(request, exported, form, status=422)
    format = FORMATS[form.cleaned_data.pop("format")]
    content = exporting.stream(exported, format, **form.cleaned_data)
    return _attachment(StreamingHttpResponse(content, format.media_type), exporting.file_name(exported, format))


@never_cache
@require_safe
@manages_datasets
def manifest(request: HtmxHttpRequest, digest: str) -> HttpResponseBase:
    exported, format = _named(digest), FORMATS.get(request.GET.get("format", ""))
    masked, licence = "masked" in request.GET, request.GET.get("licence", "")[:100]
    content = exporting.build_manifest(exported, format, masked=masked, licence=licence).as_json()
    return _attachment(HttpResponse(content, "application/json"), f"ticketclf-{exported.short}.manifest.json")


@never_cache
@require_safe
@manages_datasets
def labelling_config(request: HtmxHttpRequest, digest: str) -> HttpResponseBase:
    """The labelling interface for a Label Studio project with the snapshot's tasks."""
    exported = _named(digest)
    content = labelstudio.labelling_config(exporting.build_manifest(exported))
    return _attachment(HttpResponse(content, "application/xml"), f"ticketclf-{exported.short}.labelling.xml")


@require_POST
@manages_datasets
def import_labels(request: HtmxHttpRequest) -> HttpResponse:
    """Store the file and have a worker read it, without importing anything yet."""
    form = ImportForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            stored = label_imports.store(form.cleaned_data["file"], request.user)
        except UnreadableDataset as error:
            form.add_error("file", str(error))
        else:
            run_label_import.enqueue(stored.pk)
            return redirect(stored)
    return _overview(request, SnapshotForm(), form, status=422)


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@manages_datasets
def label_import(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return import_pages.show(request, get_object_or_404(LabelImport, pk=pk), ReadingForm, IMPORT_PAGE)


@require_POST
@manages_datasets
def read_again(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Read the file with other columns and labels, or import it."""
    shown = get_object_or_404(LabelImport, pk=pk)
    return import_pages.read_again(request, shown, ReadingForm, IMPORT_PAGE, run_label_import)


@require_POST
@permission_required(("review.benchmark", "classifier.add_draft"), raise_exception=True)
def draft_unknown_labels(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Create a draft of the taxonomy with the labels that it lacks."""
    shown = get_object_or_404(LabelImport, pk=pk)
    try:
        draft, problems = label_imports.draft_unknown_labels(shown, request.user)
    except EmptyTaxonomy as error:
        draft, problems = None, [str(error)]
    for problem in problems:
        messages.error(request, problem)
    if not draft and not problems:
        messages.info(request, _("The taxonomy has all of these labels now. Read the file again."))
    return redirect("admin:classifier_draft_change", draft.pk) if draft else redirect(shown)


def _overview(
    request: HtmxHttpRequest, snapshot_form: SnapshotForm, import_form: ImportForm, *, status: int = 200
) -> HttpResponse:
    latest = Snapshot.objects.select_related("created_by")[:LATEST]
    context = {
        "holdings": counts.count_gold_labels(),
        "snapshots": latest,
        "imports": LabelImport.objects.exclude(state=LabelImport.State.FINISHED, dry_run=False)[:LATEST_IMPORTS],
        "snapshot_form": snapshot_form,
        "import_form": import_form,
    }
    return render(request, "review/datasets/datasets.html", context, status=status)


def _snapshot(request: HtmxHttpRequest, snapshot: Snapshot, form: ExportForm, *, status: int = 200) -> HttpResponse:
    manifest = exporting.build_manifest(snapshot)
    tables = [(_("Categories"), manifest.categories.items()), (_("Sentiments"), manifest.sentiments.items())]
    context = {
        "snapshot": snapshot,
        "manifest": manifest,
        "tables": tables,
        "form": form,
        "used": snapshot.runs.exists(),
    }
    return render(request, "review/datasets/snapshot.html", context, status=status)


def _named(digest: str) -> Snapshot:
    """Raises Http404."""
    try:
        return snapshots.find_snapshot(digest)
    except Snapshot.DoesNotExist as error:
        raise Http404 from error


def _attachment(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
