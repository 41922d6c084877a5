"""Lists a person's own decisions and reopens them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from review.http import HtmxHttpRequest, answer_key, reviewer_required
from review.models import Assignment, Decision
from review.screen import submit
from review.screen.views import PAGES, lane_for
from review.worklist import my_decisions


@never_cache
@require_safe
@reviewer_required
def my_decisions_page(request: HtmxHttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    context = {
        "page": my_decisions.load_page(request.user, kind=kind, before=request.GET.get("before", "")),
        "tabs": [("", _("All")), *((name, label) for name, (label, _wanted) in my_decisions.KINDS.items())],
        "kind": kind,
    }
    return render(request, "review/worklist/my_decisions.html", context)


@require_POST
@reviewer_required
def reopen(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Undo this decision without its batch and open its ticket, or explain why not."""
    decision = get_object_or_404(Decision.objects.by(request.user), pk=pk)
    outcome = submit.undo(decision, request.user, answer_key(request), single=True)
    if not outcome.done:
        messages.error(request, outcome.text)
        return redirect(reverse("review:my_decisions", query=request.GET))
    messages.success(request, outcome.text)
    return redirect(
        PAGES[lane_for(request, Assignment.objects.values_list("lane", flat=True).get(pk=decision.assignment_id))]
    )
