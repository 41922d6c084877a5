"""Views for datasets: create and export snapshots, import labels."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from classifier.models.contract import EmptyTaxonomy
from review.datasets import exporting, importing, reading
from review.datasets.formats import labelstudio
from review.datasets.formats.registry import FORMATS
from review.datasets.forms import ExportForm, ImportForm, SnapshotForm
from review.datasets.importing import UnknownLabel
from review.datasets.reading import UnreadableDataset
from review.gold import counts, snapshots
from review.gold.snapshots import EmptySnapshot
from review.http import HtmxHttpRequest
from review.models import Snapshot

manages_datasets = permission_required("review.benchmark", raise_exception=True)

LATEST = 25


@never_cache
@require_GET
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
@require_GET
@manages_datasets
def snapshot(request: HtmxHttpRequest, digest: str) -> HttpResponse:
    return _snapshot(request, _named(digest), ExportForm())


@never_cache
@require_GET
@manages_datasets
def download(request: HtmxHttpRequest, digest: str) -> HttpResponseBase:
    exported, form = _named(digest), ExportForm(request.GET)
    if not form.is_valid():
        return _snapshot(request, exported, form, status=422)
    format = FORMATS[form.cleaned_data.pop("format")]
    content = exporting.stream(exported, format, **form.cleaned_data)
    return _attachment(StreamingHttpResponse(content, format.media_type), exporting.file_name(exported, format))


@never_cache
@require_GET
@manages_datasets
def manifest(request: HtmxHttpRequest, digest: str) -> HttpResponseBase:
    exported, format = _named(digest), FORMATS.get(request.GET.get("format", ""))
    masked, licence = "masked" in request.GET, request.GET.get("licence", "")[:100]
    content = exporting.build_manifest(exported, format, masked=masked, licence=licence).as_json()
    return _attachment(HttpResponse(content, "application/json"), f"ticketclf-{exported.short}.manifest.json")


@never_cache
@require_GET
@manages_datasets
def labelling_config(request: HtmxHttpRequest, digest: str) -> HttpResponseBase:
    """The labelling interface for a Label Studio project with the snapshot's tasks."""
    exported = _named(digest)
    content = labelstudio.labelling_config(exporting.build_manifest(exported))
    return _attachment(HttpResponse(content, "application/xml"), f"ticketclf-{exported.short}.labelling.xml")


@require_POST
@manages_datasets
def import_labels(request: HtmxHttpRequest) -> HttpResponse:
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _overview(request, SnapshotForm(), form, status=422)
    file, dry_run = form.cleaned_data["file"], form.cleaned_data["dry_run"]
    try:
        records = reading.read(file, file.name, form.mapping())
        report = importing.import_labels(records, dry_run=dry_run, labels=form.cleaned_data["labels"])
    except UnknownLabel as error:
        form.add_error("labels", str(error))
        return _overview(request, SnapshotForm(), form, status=422)
    except UnreadableDataset as error:
        form.add_error("file", str(error))
        return _overview(request, SnapshotForm(), form, status=422)
    context = {"report": report, "dry_run": dry_run, "file": file.name, "unknown": report.unknown.most_common(20)}
    return render(request, "review/datasets/import_result.html", context)


def _overview(
    request: HtmxHttpRequest, snapshot_form: SnapshotForm, import_form: ImportForm, *, status: int = 200
) -> HttpResponse:
    latest = Snapshot.objects.select_related("created_by")[:LATEST]
    context = {
        "holdings": counts.count_gold_labels(),
        "snapshots": latest,
        "snapshot_form": snapshot_form,
        "import_form": import_form,
    }
    return render(request, "review/datasets/datasets.html", context, status=status)


def _snapshot(request: HtmxHttpRequest, snapshot: Snapshot, form: ExportForm, *, status: int = 200) -> HttpResponse:
    manifest = exporting.build_manifest(snapshot)
    tables = [(_("Categories"), manifest.categories.items()), (_("Sentiments"), manifest.sentiments.items())]
    context = {"snapshot": snapshot, "manifest": manifest, "tables": tables, "form": form}
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
