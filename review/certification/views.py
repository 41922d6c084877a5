"""The certification page and its actions."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from classifier.models import Gate
from review.certification import alarms, evidence_export, history, reopening, tasks
from review.certification.forms import AccuracyTargetForm, ModeForm
from review.certification.report import CertificationReport
from review.http import HtmxHttpRequest
from review.models import Alarm, Ledger

requires_permission = permission_required("review.set_accuracy_target", raise_exception=True)


@never_cache
@require_safe
@requires_permission
def certification(request: HtmxHttpRequest) -> HttpResponse:
    if not Gate.objects.exists():
        return redirect("classifier:models")
    return _page(request, AccuracyTargetForm(), ModeForm())


def _page(
    request: HtmxHttpRequest, accuracy_target: AccuracyTargetForm, mode: ModeForm, status: int = 200
) -> HttpResponse:
    context = {
        "report": CertificationReport.current(),
        "accuracy_target_form": accuracy_target,
        "mode_form": mode,
        "past": history.History.load(request.GET.get("before", ""), request.GET.get("alarms_before", "")),
    }
    return render(request, "review/certification/certification.html", context, status=status)


@never_cache
@require_safe
@requires_permission
def evidence(request: HtmxHttpRequest) -> StreamingHttpResponse:
    """Stream the evidence as JSON Lines."""
    ledgers = Ledger.objects.select_related("epoch__language_model", "epoch__contract").order_by("pk")
    response = StreamingHttpResponse(evidence_export.json_lines(ledgers), "application/jsonl")
    response["Content-Disposition"] = 'attachment; filename="ticketclf-evidence.jsonl"'
    return response


@require_POST
@requires_permission
def set_accuracy_target(request: HtmxHttpRequest) -> HttpResponse:
    form = AccuracyTargetForm(request.POST)
    if not form.is_valid():
        return _page(request, form, ModeForm(), status=422)
    form.save(request.user)
    tasks.run_certification.enqueue()
    messages.success(request, _("Accuracy target saved. Certification restarts within a minute or two."))
    return redirect("review:certification")


@require_POST
@requires_permission
def set_gate_mode(request: HtmxHttpRequest) -> HttpResponse:
    """Save the mode; turning on certified auto-accept takes a confirmation."""
    form, confirmed = ModeForm(request.POST), "confirmed" in request.POST
    if form.begins_certifying and not (confirmed and form.is_valid()):
        asked = form if confirmed else form.unanswered()
        return render(
            request, "review/certification/set_gate_mode.html", {"form": asked}, status=422 if confirmed else 200
        )
    if not form.is_valid():
        return _page(request, AccuracyTargetForm(), form, status=422)
    form.save(request.user)
    tasks.run_certification.enqueue()
    messages.success(request, _("Mode saved. It applies from the next ticket."))
    return redirect("review:certification")


@require_POST
@requires_permission
def reopen_tickets(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Send auto-accepted tickets back to review, after a confirmation that shows how many there are."""
    alarm = get_object_or_404(Alarm, pk=pk)
    if "confirmed" not in request.POST:
        return render(
            request, "review/certification/reopen_tickets.html", {"notice": history.AlarmNotice.for_alarm(alarm)}
        )
    number = reopening.reopen_tickets(alarm)
    message = ngettext("%d ticket sent to review.", "%d tickets sent to review.", number) % number
    messages.success(request, message if number else _("No auto-accepted ticket since then is left to review."))
    return redirect("review:certification")


@require_POST
@requires_permission
def acknowledge_alarm(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    alarms.acknowledge(get_object_or_404(Alarm, pk=pk), request.user)
    return redirect("review:certification")
