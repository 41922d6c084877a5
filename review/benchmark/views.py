"""Views of the benchmark: runs, their results, answers and the threshold."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from classifier.models.contract import EmptyTaxonomy
from classifier.pipeline import gate
from classifier.web.pagination import BoundedPaginator
from review.benchmark import baseline, draft_comparison, model_answers, population, progress, tasks
from review.benchmark import runs as benchmarks
from review.benchmark.formatting import LabelNames
from review.benchmark.forms import AnswersForm, DisputeForm, ThresholdForm
from review.benchmark.model_report import ModelReport
from review.benchmark.progress import RunProgress
from review.benchmark.results_table import ResultsTable
from review.benchmark.start_form import StartForm
from review.benchmark.threshold_tool import ThresholdTool
from review.gold import disputes, snapshots
from review.http import HtmxHttpRequest
from review.models import Contender, Result, Run

RUNS, ANSWERS = 20, 25

compares = permission_required("review.benchmark", raise_exception=True)
sets_threshold = permission_required(["review.benchmark", "review.set_threshold"], raise_exception=True)


@never_cache
@require_safe
@compares
def benchmark(request: HtmxHttpRequest) -> HttpResponse:
    try:
        form = StartForm(snapshot=request.GET.get("snapshot", ""), draft=request.GET.get("draft", ""))
    except EmptyTaxonomy as error:
        return _overview(request, None, str(error))
    return _overview(request, form)


def _overview(request: HtmxHttpRequest, form: StartForm | None, hindrance: str = "", status: int = 200) -> HttpResponse:
    page = BoundedPaginator(Run.objects.select_related("snapshot", "created_by"), RUNS).get_page(
        request.GET.get("page")
    )
    context = {
        "form": form,
        "hindrance": hindrance,
        "page": page,
        "runs": progress.list_runs(page.object_list),
        "baseline": baseline.current(),
    }
    return render(request, "review/benchmark/benchmark.html", context, status=status)


@require_POST
@compares
def start_run(request: HtmxHttpRequest) -> HttpResponse:
    """Show the estimated cost, or start the run once that is confirmed."""
    try:
        form = StartForm(request.POST, snapshot=request.POST.get("snapshot", ""))
    except EmptyTaxonomy as error:
        return _overview(request, None, str(error), 422)
    plan = form.plan()
    if plan is None:
        return _overview(request, form, status=422)
    if "confirmed" not in request.POST:
        for sentence in plan.leak_warnings:
            messages.warning(request, sentence)
        return render(request, "review/benchmark/start_run.html", {"form": form, "plan": plan})
    snapshot = plan.snapshot or snapshots.create_snapshot(by=request.user)
    return redirect(tasks.start_benchmark(snapshot, plan.entries, by=request.user))


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@compares
def benchmark_run(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run.objects.select_related("snapshot", "created_by"), pk=pk)
    if run.state != Run.State.FINISHED:
        template = "review/benchmark/_run_progress.html" if request.htmx else "review/benchmark/run.html"
        return render(request, template, {"run": run, "progress": RunProgress(run)})
    if request.htmx:
        # The page with the results replaces the progress page as a whole.
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "review/benchmark/run.html", {"run": run, "results": ResultsTable(run)})


@require_POST
@compares
def stop_run(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    if benchmarks.stop_run(run):
        messages.success(request, _("Stopped. Answers so far are kept; you can resume at any time."))
    return redirect(run)


@require_POST
@compares
def resume_run(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run, pk=pk)
    tasks.resume_benchmark(run)
    return redirect(run)


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@compares
def contender(request: HtmxHttpRequest, run_pk: int, pk: int) -> HttpResponse:
    contender = _contender(run_pk, pk)
    if contender.figures is None:
        return redirect(contender.run)
    tool = None
    if population.offers_threshold(contender.figures):
        tool = ThresholdTool(contender, ThresholdForm.threshold_in(request.GET))
    if request.htmx and tool:
        return render(request, "review/benchmark/_threshold.html", {"tool": tool, "swapped": True})
    context = {
        "contender": contender,
        "report": ModelReport(contender),
        "tool": tool,
        "beside": draft_comparison.in_force_counterpart(contender),
    }
    return render(request, "review/benchmark/contender.html", context)


def _contender(run_pk: int, pk: int) -> Contender:
    contenders = Contender.objects.select_related("run__snapshot", "language_model", "contract")
    return get_object_or_404(contenders, run=run_pk, pk=pk)


@require_POST
@sets_threshold
def set_threshold(request: HtmxHttpRequest, run_pk: int, pk: int) -> HttpResponse:
    contender, threshold = _contender(run_pk, pk), ThresholdForm.threshold_in(request.POST)
    if threshold is None or contender.figures is None:
        messages.error(request, _("The threshold must be between 0 and 1."))
        return redirect(contender)
    if not population.offers_threshold(contender.figures):
        messages.error(request, _("Figures of held tickets say nothing about the tickets that are auto-accepted."))
        return redirect(contender)
    tool = ThresholdTool(contender, threshold)
    gate.change_settings(threshold=tool.threshold, by=request.user, reason=tool.reason)
    messages.success(request, _("Tickets with a confidence of %.2f or more are now auto-accepted.") % tool.threshold)
    return redirect(contender)


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@compares
def answers(request: HtmxHttpRequest, run_pk: int, pk: int) -> HttpResponse:
    contender, against = _contender(run_pk, pk), baseline.current()
    names, compared = LabelNames(contender.run, contender), bool(against and against.pk != pk)
    form = AnswersForm(request.GET, names=names, failures=model_answers.failure_kinds(contender), compared=compared)
    page = BoundedPaginator(model_answers.filter_results(contender, form.answer_filter, against), ANSWERS).get_page(
        request.GET.get("page")
    )
    context = {
        "contender": contender,
        "form": form,
        "page": page,
        "rows": [(row, DisputeForm(result=row.result)) for row in model_answers.answer_rows(page.object_list, names)],
        "baseline": against,
        "query": request.GET.urlencode(),
    }
    template = "review/benchmark/_answers.html" if request.htmx else "review/benchmark/answers.html"
    return render(request, template, context | {"swapped": bool(request.htmx)})


@require_POST
@compares
def dispute_label(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    result = get_object_or_404(Result.objects.select_related("item__gold", "contender"), pk=pk)
    form = DisputeForm(request.POST)
    try:
        if form.is_valid():
            disputes.dispute(result.item.gold, request.user, form.cleaned_data["reason"])
            messages.success(request, _("Two reviewers will label it again. Until then, the label is not used."))
        else:
            messages.error(request, _("Describe briefly what is wrong with the label."))
    except disputes.CannotDispute:
        messages.error(request, _("This label is already disputed or no longer in use."))
    args, back = [result.contender.run_id, result.contender_id], QueryDict(request.POST.get("back", ""))
    return redirect(reverse("review:answers", args=args, query=back))


@require_POST
@compares
def pin_baseline(request: HtmxHttpRequest, run_pk: int, pk: int) -> HttpResponse:
    contender = _contender(run_pk, pk)
    baseline.pin(contender)
    messages.success(request, _("Later results are now compared with %s.") % contender)
    return redirect(contender.run)


@require_POST
@compares
def unpin_baseline(request: HtmxHttpRequest) -> HttpResponse:
    was = baseline.current()
    baseline.unpin()
    return redirect(was.run if was else "review:benchmark")
