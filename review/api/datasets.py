"""API operations that list and export snapshots of labels."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Path, Query, Router, Schema
from pydantic import Field

from classifier.api.authentication import ApiRequest, requires
from classifier.api.fields import StorableString
from classifier.api.pagination import Page, PageQuery, paginate
from classifier.api.problems import Problem
from classifier.models.api_keys import Scope
from review.datasets import exporting
from review.datasets.formats.registry import FORMATS
from review.gold import snapshots
from review.models import Snapshot

router = Router(tags=["Datasets"])

DIGEST = f"^[0-9a-f]{{{snapshots.FEWEST_CHARACTERS},64}}$"
Digest = Annotated[str, Path(pattern=DIGEST, description="The digest, or at least its first 12 characters.")]
FormatName = StrEnum("FormatName", {name: name for name in FORMATS})  # type: ignore[misc]  # one name for each format
_reads = requires(Scope.DATASETS_READ, "review.benchmark")


class SnapshotSummary(Schema):
    digest: str
    created_at: datetime
    labels: int
    filters: dict[str, Any]


class LabelInfo(Schema):
    name: str
    description: str


class ManifestOut(Schema):
    """What a snapshot contains, and where its labels come from."""

    snapshot: str
    created_at: str
    records: int
    sides: dict[str, int]
    categories: dict[str, int]
    sentiments: dict[str, int]
    taxonomy: dict[str, list[LabelInfo]]
    contract: str
    system_prompt: str
    filters: dict[str, Any]
    erased: int
    masked: bool
    licence: str


class ExportOptions(Schema):
    """`masked` removes personal data from the texts."""

    format: FormatName = Field(FormatName["jsonl"])
    masked: bool = True
    licence: StorableString = Field("", max_length=100)


@router.get("/datasets", response=Page[SnapshotSummary], summary="List snapshots", **_reads)
def list_snapshots(request: ApiRequest, response: HttpResponse, params: PageQuery) -> Any:
    """Newest first."""
    return paginate(request, response, params, Snapshot.objects.all(), _summaries)


@router.get("/datasets/{digest}", response=ManifestOut, summary="Read a snapshot's manifest", **_reads)
def read_manifest(request: ApiRequest, digest: Digest) -> Any:
    """Always the same bytes, unless a ticket in it is erased."""
    return HttpResponse(exporting.build_manifest(_snapshot(digest)).as_json(), "application/json")


@router.get(
    "/datasets/{digest}/export",
    summary="Export a snapshot",
    **requires(Scope.DATASETS_READ, "review.benchmark"),
)
def export(request: ApiRequest, digest: Digest, options: Annotated[ExportOptions, Query()]) -> HttpResponseBase:
    """Streams the file; always the same bytes, unless a ticket in the snapshot is erased."""
    snapshot, format = _snapshot(digest), FORMATS[options.format.value]
    try:
        exporting.check_available(format)
    except exporting.MissingPackage as error:
        raise Problem(422, str(error), slug="missing-package") from error
    content = exporting.stream(snapshot, format, masked=options.masked, licence=options.licence)
    name = exporting.file_name(snapshot, format)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(content, content_type=format.media_type, headers=headers)


def _snapshot(digest: str) -> Snapshot:
    """Raises Http404."""
    try:
        return snapshots.find_snapshot(digest)
    except Snapshot.DoesNotExist as error:
        raise Http404 from error


def _summaries(snapshots: Sequence[Snapshot]) -> list[dict[str, Any]]:
    fields = ("digest", "created_at", "filters")
    return [
        {"labels": snapshot.items_count} | {name: getattr(snapshot, name) for name in fields} for snapshot in snapshots
    ]
