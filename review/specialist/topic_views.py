"""Views for emerging topics, new categories drafted from them, and confusable categories."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier.contract.types import Option
from classifier.embeddings.sources import CorruptEncoder
from classifier.models import DraftLabel, Ticket
from classifier.models.contract import EmptyTaxonomy
from classifier.taxonomy import drafts, label_changes
from review.http import HtmxHttpRequest
from review.specialist import category_preview, confusable
from review.specialist import emerging_topics as topics
from review.specialist.category_preview import CategoryPreview
from review.specialist.topic_forms import NewCategoryForm

teaches = permission_required("review.teach", raise_exception=True)

P = ParamSpec("P")


def explains_unavailability(
    view: Callable[Concatenate[HtmxHttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HtmxHttpRequest, P], HttpResponse]:
    """Explain on a 503 page that the encoder is corrupt or the taxonomy is empty."""

    @wraps(view)
    def answering(request: HtmxHttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (CorruptEncoder, EmptyTaxonomy) as error:
            return render(request, "review/specialist/topics_unavailable.html", {"hindrance": str(error)}, status=503)

    return answering


@never_cache
@require_safe
@teaches
@explains_unavailability
def emerging_topics(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "review/specialist/topics.html", {"emerging": topics.emerging_topics()})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@teaches
@explains_unavailability
def topic(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Show the topic of a ticket and preview the category drafted from it; changes nothing."""
    return _topic(request, pk)


@require_POST
@permission_required(("review.teach", "classifier.add_draft"), raise_exception=True)
@explains_unavailability
def draft_topic(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    form = NewCategoryForm(request.POST)
    if not form.is_valid():
        return _topic(request, pk)
    return redirect("review:drafted_category", topics.create_draft(form.save(commit=False), request.user).pk)


@never_cache
@require_safe
@teaches
@explains_unavailability
def drafted_category(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    label = _drafted(pk)
    context = {"label": label, "draft": label.draft, "preview": _preview(label), "summary": drafts.summary(label.draft)}
    return render(request, "review/specialist/topic_drafted.html", context)


@require_POST
@permission_required(("review.teach", "classifier.change_ticket"), raise_exception=True)
@explains_unavailability
def reclassify_for_category(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    label = _drafted(pk)
    if label.category_id is None:
        messages.error(request, _("Publish the draft first: models don't know the category until then."))
        return redirect("review:drafted_category", pk)
    count = label_changes.classify_again(Ticket.objects.filter(pk__in=_preview(label).open))
    text = ngettext("%d ticket will be classified again.", "%d tickets will be classified again.", count)
    messages.success(request, text % count)
    return redirect("review:drafted_category", pk)


@never_cache
@require_safe
@teaches
@explains_unavailability
def confusable_categories(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "review/specialist/confusable.html", {"confusable": confusable.confusable_categories()})


def _topic(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    topic = topics.topic_containing(pk)
    if topic is None:
        messages.info(request, _("This topic no longer exists: its tickets were reclassified or joined another topic."))
        return redirect("review:emerging_topics")
    form = NewCategoryForm(request.POST or None, initial=topics.suggest_category(topic))
    refused = form.is_bound and not form.is_valid()
    preview = None if refused else category_preview.preview_category(form.option(), topic=topic.tickets)
    context = {"topic": topic, "form": form, "preview": preview}
    return render(request, "review/specialist/topic.html", context, status=422 if refused else 200)


def _drafted(pk: int) -> DraftLabel:
    """The drafted label, if it is a new category."""
    label = get_object_or_404(DraftLabel.objects.select_related("draft"), pk=pk, axis=DraftLabel.Axis.CATEGORY)
    if label.base:
        raise Http404
    return label


def _preview(label: DraftLabel) -> CategoryPreview:
    examples = tuple(line.strip() for line in label.examples.splitlines() if line.strip())
    option = Option(name=label.name, description=label.description, examples=examples)
    return category_preview.preview_category(option, key=label.category_id)
