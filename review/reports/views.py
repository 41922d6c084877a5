"""The lead's page: inbox, agreement between reviewers, activity of agents."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from review.http import HtmxHttpRequest, lead_required
from review.reports import quality
from review.worklist import lead_inbox


@never_cache
@require_safe
@lead_required
def lead(request: HtmxHttpRequest) -> HttpResponse:
    context = {
        "inbox": lead_inbox.load_inbox(request.user),
        "report": quality.quality_report(),
        "bounds": quality.BOUNDS,
    }
    return render(request, "review/worklist/lead.html", context)
