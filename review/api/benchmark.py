"""API operations that start, list and read benchmark runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Router, Schema
from pydantic import Field

from classifier.api.authentication import ApiRequest, requires
from classifier.api.fields import RequestSchema
from classifier.api.idempotency import PARAMETER, idempotent
from classifier.api.pagination import Page, PageQuery, paginate
from classifier.api.problems import Problem
from classifier.models import ContractVersion, LanguageModel
from classifier.models.api_keys import Scope
from review.api.datasets import DIGEST
from review.benchmark import progress, tasks
from review.benchmark.progress import RunProgress
from review.benchmark.runs import MOST_CONTENDERS, Entry, NothingToRun
from review.gold import snapshots
from review.gold.snapshots import EmptySnapshot
from review.models import Contender, Run, Snapshot

router = Router(tags=["Benchmark"])

_reads = requires(Scope.BENCHMARK_READ, "review.benchmark")


class RunIn(RequestSchema):
    """Model ids. Without a snapshot, one is created from the current labels. Runs use the current prompt version."""

    models: list[int] = Field(min_length=1, max_length=MOST_CONTENDERS)
    snapshot: str | None = Field(None, pattern=DIGEST, description="The digest, or its first 12 characters or more.")


class RunSummary(Schema):
    id: int
    url: str
    snapshot: str
    state: str
    items: int
    contenders: list[str]
    created_at: datetime
    finished_at: datetime | None
    note: str


class EstimateOut(Schema):
    """An estimate with its 95% confidence interval and sample size."""

    estimate: float | None
    low: float | None
    high: float | None
    n: int


class Figures(Schema):
    """Metrics over `n` of the items, weighted. Latency in milliseconds, cost in the currency of the prices."""

    population: Literal["all", "held", "given"] = Field(
        description="What the figures stand for: all tickets, held tickets only, or the labels as imported."
    )
    items: int
    n: int
    answered: int
    category: EstimateOut
    sentiment: EstimateOut
    both: EstimateOut
    macro_f1: dict[str, float | None]
    brier: float | None
    ece: float | None
    latency: dict[str, float | None]
    cost: float
    failures: dict[str, int]


class ContenderOut(Schema):
    """`figures` is null until all items are done."""

    id: int
    model: int
    name: str
    contract: str
    done: int
    baseline: bool
    figures: Figures | None


class RunOut(RunSummary):
    results: list[ContenderOut]


@router.get("/benchmark/runs", response=Page[RunSummary], summary="List benchmark runs", url_name="runs", **_reads)
def list_runs(request: ApiRequest, response: HttpResponse, params: PageQuery) -> Any:
    """Newest first."""
    return paginate(request, response, params, Run.objects.select_related("snapshot"), _rows)


@router.get("/benchmark/runs/{int:pk}", response=RunOut, summary="Read a benchmark run", url_name="run", **_reads)
def read_run(request: ApiRequest, pk: int) -> Any:
    """Its progress, and the metrics of the models that are done."""
    run = get_object_or_404(Run.objects.select_related("snapshot"), pk=pk)
    results = [_contender(row.contender, row.progress.done) for row in RunProgress(run).rows]
    return _rows([run])[0] | {"results": results}


@router.post(
    "/benchmark/runs",
    response={202: RunSummary},
    summary="Start a benchmark run",
    url_name="runs",
    **requires(Scope.BENCHMARK_WRITE, "review.benchmark", parameters=[PARAMETER]),
)
@idempotent
def start_run(request: ApiRequest, body: RunIn, response: HttpResponse) -> Any:
    """It runs in the background. The models' providers may charge for it."""
    entries = [
        Entry(language_model, contract)
        for contract in [ContractVersion.objects.current()]
        for language_model in _language_models(body)
    ]
    try:
        snapshot = _snapshot(body.snapshot) if body.snapshot else snapshots.create_snapshot(by=request.user)
        run = tasks.start_benchmark(snapshot, entries, by=request.user)
    except EmptySnapshot:
        raise Problem(
            422, "There are no labels to measure against yet. Review some tickets or import labels."
        ) from None
    except NothingToRun as error:
        raise Problem(422, str(error)) from None
    response["Location"] = reverse("api:run", args=[run.pk])
    return _rows([run])[0]


def _language_models(body: RunIn) -> list[LanguageModel]:
    """Raises Problem for a model that is unknown or has no key."""
    models = LanguageModel.objects.select_related("provider").in_bulk([pk for pk in body.models if 0 < pk < 2**63])
    language_models = [models.get(pk) for pk in dict.fromkeys(body.models)]
    errors = [
        {"in": "body", "pointer": f"/models/{place}", "detail": "Unknown model, or its API key is missing."}
        for place, language_model in enumerate(language_models)
        if language_model is None or language_model.provider.missing_key
    ]
    if errors:
        raise Problem(422, "Some models can't be used; `errors` lists them.", slug="invalid", errors=errors)
    return [language_model for language_model in language_models if language_model]


def _snapshot(digest: str) -> Snapshot:
    snapshot = Snapshot.objects.filter(digest__startswith=digest).first()
    if snapshot is None:
        errors = [{"in": "body", "pointer": "/snapshot", "detail": "Unknown snapshot."}]
        raise Problem(422, "Unknown snapshot; GET /datasets lists them.", slug="invalid", errors=errors)
    return snapshot


def _rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [
        {
            "id": run.pk,
            "url": reverse("api:run", args=[run.pk]),
            "snapshot": run.snapshot.digest,
            "items": run.items_count,
            "contenders": [str(contender) for contender in contenders],
            **{name: getattr(run, name) for name in ("state", "created_at", "finished_at", "note")},
        }
        for run, contenders, _progress in progress.list_runs(runs)
    ]


def _contender(contender: Contender, done: int) -> dict[str, Any]:
    return {
        "id": contender.pk,
        "model": contender.language_model_id,
        "name": str(contender),
        "contract": contender.contract.digest,
        "done": done,
        "baseline": contender.baseline,
        "figures": _figures(contender.figures) if contender.figures else None,
    }


def _figures(figures: dict[str, Any]) -> dict[str, Any]:
    plain = ("population", "items", "n", "answered", "latency", "cost", "failures")
    shares = {name: dict(zip(("estimate", "low", "high", "n"), figures[name], strict=True)) for name in _SHARES}
    return {
        **{name: figures[name] for name in plain},
        **shares,
        "macro_f1": {axis: metrics["macro_f1"]["value"] for axis, metrics in figures["axes"].items()},
        "brier": figures["confidence"]["brier"],
        "ece": figures["confidence"]["ece"],
    }


_SHARES = ("category", "sentiment", "both")
