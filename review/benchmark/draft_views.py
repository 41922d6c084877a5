"""View of the items that a model answers differently under a draft."""

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from review.benchmark import draft_comparison
from review.benchmark.population import FEWEST_DRAWN
from review.http import HtmxHttpRequest
from review.models import Contender

A_PAGE = 25


@never_cache
@require_safe
@permission_required("review.benchmark", raise_exception=True)
def draft_changes(request: HtmxHttpRequest, run_pk: int, pk: int) -> HttpResponse:
    contenders = Contender.objects.select_related("run__snapshot", "language_model", "contract")
    contender = get_object_or_404(contenders, run=run_pk, pk=pk)
    in_force = draft_comparison.in_force_counterpart(contender)
    if in_force is None:
        raise Http404
    effect = draft_comparison.draft_effect(contender, in_force)
    kinds = {"": effect.changed, "fixed": effect.fixed, "broken": effect.broken}
    kind = request.GET.get("show", "")
    page = Paginator(kinds.get(kind, effect.changed), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "contender": contender,
        "effect": effect,
        "fewest_drawn": FEWEST_DRAWN,
        "tabs": [
            ("", _("All changes"), len(effect.changed)),
            ("fixed", _("Fixed by the draft"), len(effect.fixed)),
            ("broken", _("Broken by the draft"), len(effect.broken)),
        ],
        "given_away": draft_comparison.leaked_labels(contender.contract),
        "kind": kind if kind in kinds else "",
        "page": page,
        "changes": draft_comparison.changed_answers(effect, list(page.object_list)),
    }
    return render(request, "review/benchmark/draft_changes.html", context)
