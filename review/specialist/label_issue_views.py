"""Views for label issues: check one label at a time and keep, correct or dispute it."""

from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from review.http import HtmxHttpRequest
from review.models import LabelIssue, Preferences, Side
from review.screen.label_options import Options
from review.specialist import label_issues as labels
from review.specialist.label_issue_page import LabelIssueCard, LabelPair, RemainingCount, version_token

teaches = permission_required("review.teach", raise_exception=True)


class AnswerMessage(NamedTuple):
    """The outcome of an answer, and the label issue that the page offers to reopen."""

    text: str
    done: bool = True
    again: int | None = None


@never_cache
@require_safe
@teaches
def label_issues(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "review/specialist/label_issues.html", _context(request, LabelIssueCard.first()))


@never_cache
@require_safe
@teaches
def label_issue(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Show one label issue again, for a reviewer who pressed the wrong key."""
    card = LabelIssueCard.by_pk(pk)
    if card is None:
        raise Http404
    return render(request, "review/specialist/label_issues.html", _context(request, card))


@require_POST
@teaches
def keep_label(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    label_issue = _unchanged_label_issue(request, pk)
    done = label_issue and labels.confirm(label_issue, request.user)
    return _show_next(request, AnswerMessage(_("Label kept."), again=pk) if done else _changed_meanwhile(request, pk))


@require_POST
@teaches
def correct_label(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    options = Options.current()
    category = options.category(request.POST.get("category", ""))
    sentiment = options.sentiment(request.POST.get("sentiment", ""))
    if category is None or sentiment is None:
        return _show_next(request, AnswerMessage(_("Choose a category and a sentiment."), done=False))
    label_issue = _unchanged_label_issue(request, pk)
    done = label_issue and labels.correct(label_issue, request.user, category, sentiment)
    label = {"label": LabelPair(str(category), sentiment.name)}
    return _show_next(
        request,
        AnswerMessage(_("Label changed to %(label)s.") % label, again=pk) if done else _changed_meanwhile(request, pk),
    )


@require_POST
@teaches
def dispute_label(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    label_issue = _unchanged_label_issue(request, pk)
    done = label_issue and labels.dispute(label_issue, request.user)
    return _show_next(
        request,
        AnswerMessage(_("Two reviewers will label it without seeing the current label."))
        if done
        else _changed_meanwhile(request, pk),
    )


@require_POST
@teaches
def dispute_held_out(request: HtmxHttpRequest) -> HttpResponse:
    number = labels.dispute_held_out(request.user)
    text = ngettext(
        "%d benchmark label goes to two reviewers, who see neither the label nor a suggestion.",
        "%d benchmark labels go to two reviewers each, who see neither the label nor a suggestion.",
        number,
    )
    messages.success(request, text % number)
    return redirect("review:label_issues")


def _unchanged_label_issue(request: HtmxHttpRequest, pk: int) -> LabelIssue | None:
    """The label issue; None if it has changed since the page was rendered."""
    issues = LabelIssue.objects.filter(gold__group__side=Side.TRAINING)
    label_issue = get_object_or_404(issues.select_related("gold").defer("gold__text"), pk=pk)
    return label_issue if request.POST.get("seen", "") == version_token(label_issue) else None


def _changed_meanwhile(request: HtmxHttpRequest, pk: int) -> AnswerMessage:
    """Says who was first: the same person in another tab, somebody else, or a training that renewed the issue."""
    checked_by = LabelIssue.objects.filter(pk=pk).values_list("confirmed_by", flat=True).first()
    if checked_by == request.user.pk:
        return AnswerMessage(_("Nothing changed: you have already checked that label."), done=False)
    if checked_by:
        return AnswerMessage(_("Nothing changed: someone else has checked that label in the meantime."), done=False)
    return AnswerMessage(_("Nothing changed: that label issue has changed since. Look at it again."), done=False)


def _show_next(request: HtmxHttpRequest, outcome: AnswerMessage) -> HttpResponse:
    """Render the next label issue; redirect without htmx, so that reloading posts nothing again."""
    if request.htmx:
        response = render(
            request,
            "review/specialist/_label_issue_next.html",
            _context(request, LabelIssueCard.first()) | {"outcome": outcome},
        )
        response["HX-Replace-Url"] = reverse("review:label_issues")
        return response
    (messages.success if outcome.done else messages.error)(request, outcome.text)
    return redirect("review:label_issues")


def _context(request: HtmxHttpRequest, card: LabelIssueCard | None) -> dict[str, Any]:
    return {
        "card": card,
        "remaining": RemainingCount.of(labels.pending()),
        "held_out": RemainingCount.of(labels.held_out()),
        "at_once": labels.DISPUTED_AT_ONCE,
        "keys": Preferences.for_user(request.user).keys_on,
    }
