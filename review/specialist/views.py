"""Views for the specialist page: status, training, deploying and unpinning versions."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from classifier.inference import specialist_deployment
from classifier.models import SpecialistVersion
from classifier.web.pagination import BoundedPaginator
from review.http import HtmxHttpRequest
from review.specialist import status, tasks, versions

VERSIONS = 50

teaches = permission_required("review.teach", raise_exception=True)


@never_cache
@require_safe
@teaches
def specialist(request: HtmxHttpRequest) -> HttpResponse:
    listed = SpecialistVersion.objects.without_weights().order_by("-pk")
    page = BoundedPaginator(listed, VERSIONS).get_page(request.GET.get("page"))
    context = {
        "status": status.SpecialistStatus.load(),
        "page": page,
        "versions": [versions.version_row(version) for version in page],
    }
    return render(request, "review/specialist/specialist.html", context)


@require_POST
@teaches
def train_specialist(request: HtmxHttpRequest) -> HttpResponse:
    if status.has_enough_labels():
        tasks.train_specialist.enqueue(due=False)
        messages.success(
            request, _("Training starts in a moment and continues in the background. Check back in a minute.")
        )
    else:
        messages.error(request, status.TOO_FEW)
    return redirect("review:specialist")


@require_POST
@teaches
def deploy_version(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    version = get_object_or_404(SpecialistVersion.objects.without_weights(), pk=pk)
    try:
        specialist_deployment.deploy(version, by=request.user)
        messages.success(request, _("Version %s is live and stays live until you unpin it.") % version)
    except specialist_deployment.WeightsDiscarded as error:
        messages.error(request, str(error))
    return redirect("review:specialist")


@require_POST
@teaches
def unpin_version(request: HtmxHttpRequest) -> HttpResponse:
    specialist_deployment.unpin()
    messages.success(request, _("Unpinned. The next better version will be deployed automatically."))
    return redirect("review:specialist")
