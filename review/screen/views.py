"""The review screen: one ticket at a time; each response already holds the next ticket."""

import json
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.template.backends.utils import csrf_input
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from classifier import form_recovery
from classifier.models import Ticket
from classifier.text import key_from
from review.http import HtmxHttpRequest, answer_key, lead_required, reviewer_required
from review.models import Assignment, Decision
from review.screen import bulk, session_stats, submit
from review.screen.card import Card
from review.screen.card_parts import Selection
from review.screen.display_token import DisplayToken, InvalidToken
from review.screen.forms import AnswerForm
from review.screen.label_options import Options
from review.screen.similar import similar_tickets
from review.screen.submit import AnswerOutcome
from review.screen.workspace import Workspace
from review.workflow import decisions, leases

Lane = Assignment.Lane
PAGES = {Lane.AGENTS: "review:screen", Lane.LEADS: "review:lead_screen"}


def lane_for(request: HtmxHttpRequest, wanted: str) -> Lane:
    """The wanted lane if this person may work there, else the agents' lane."""
    of_leads = wanted == Lane.LEADS and request.user.has_perm("review.adjudicate")
    return Lane.LEADS if of_leads else Lane.AGENTS


def _page_of_form(request: HttpRequest) -> str:
    """The page a form belongs to."""
    return PAGES[Lane.LEADS if request.POST.get("lane") == Lane.LEADS else Lane.AGENTS]


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@reviewer_required
def screen(request: HtmxHttpRequest) -> HttpResponse:
    return _show(request, Lane.AGENTS)


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@lead_required
def lead_screen(request: HtmxHttpRequest) -> HttpResponse:
    return _show(request, Lane.LEADS)


@form_recovery.recoverable(_page_of_form)
@require_POST
@reviewer_required
def decide(request: HtmxHttpRequest) -> HttpResponse:
    try:
        display_token = DisplayToken.parse(request.POST.get("display_token", ""), request.user)
    except InvalidToken as invalid:
        return _go_on(request, _lane(request), submit.refusal(request.user, str(invalid)))
    workspace = Workspace.load(request.user)
    form = AnswerForm(request.POST, options=workspace.options)
    try:
        if not form.is_valid():
            assignment = Assignment.objects.get(pk=display_token.assignment)
            return _render(request, _lane(request), workspace, assignment, given=form.chosen(), status=422)
        outcome = submit.submit_answer(request.user, form, display_token)
    except (Ticket.DoesNotExist, Assignment.DoesNotExist):
        text = _("That ticket has been erased. Your answer was not recorded.")
        outcome = submit.refusal(request.user, text)
    return _go_on(request, _lane(request), outcome, workspace)


@require_POST
@reviewer_required
def undo(request: HtmxHttpRequest) -> HttpResponse:
    """Undo the named decision, else the person's latest; `back` returns to the queue's table."""
    pk, mine = key_from(request.POST.get("decision", "")), Decision.objects.by(request.user)
    decision = get_object_or_404(mine, pk=pk) if pk else decisions.latest_decision(request.user)
    outcome = submit.undo(decision, request.user, answer_key(request))
    if "back" in request.POST:
        (messages.success if outcome.done else messages.error)(request, outcome.text)
        return redirect(reverse("review:queue", query=QueryDict(request.POST["back"])))
    open_assignment = Assignment.objects.held_by(request.user).first()
    return _go_on(request, lane_for(request, open_assignment.lane if open_assignment else ""), outcome)


@require_POST
@reviewer_required
def renew_lease(request: HtmxHttpRequest) -> HttpResponse:
    """Renew the lease; 409 tells the page that it has expired."""
    assignment = key_from(request.POST.get("assignment", ""))
    renewed = assignment and leases.renew(request.user, assignment)
    return HttpResponse(status=204 if renewed else 409)


@require_POST
@reviewer_required
def reoffer_skipped(request: HtmxHttpRequest) -> HttpResponse:
    leases.reoffer_skipped(request.user)
    return redirect(PAGES[_lane(request)])


@require_POST
@reviewer_required
def take(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    ticket, lane = get_object_or_404(Ticket, pk=pk), _lane(request)
    try:
        leases.lease_ticket(request.user, ticket, lane)
    except leases.NotAvailable:
        messages.error(request, _("Ticket %d is not available: someone has it open, or it needs no review.") % pk)
        return redirect("review:lead" if lane == Lane.LEADS else "review:queue")
    return redirect(PAGES[lane])


@require_http_methods(["GET", "HEAD", "POST"])
@reviewer_required
def duplicates(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Offer the near-duplicates of a decided ticket; the selected ones get its label."""
    # A blind label is never copied to other tickets.
    mine = Decision.objects.by(request.user).effective().labelled().filter(blind=False)
    decision = get_object_or_404(mine.select_related("category", "sentiment", "assignment", "ticket"), pk=pk)
    group, label = decision.assignment.group_id, decisions.label_from(decision)
    if label.category.retired or label.sentiment.retired:
        messages.error(request, _("%s has been retired since. Decide the near-duplicates one by one.") % decision.label)
        return redirect(PAGES[Lane.AGENTS])
    if request.method == "POST":
        ticked = [
            assignment
            for assignment in bulk.selected_assignments(request.POST.getlist("assignment"))
            if assignment.group_id == group
        ]
        accepted = bulk.accept(bulk.preview(ticked, request.user, label), request.user)
        (messages.success if accepted.number else messages.error)(request, accepted.text)
        return redirect(PAGES[Lane.AGENTS])
    preview = bulk.preview(bulk.waiting_duplicates(group), request.user, label)
    return render(request, "review/screen/duplicates.html", {"decision": decision, "preview": preview})


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@reviewer_required
def similar(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Similar solved tickets, as a part of the card or as a page; never in a blind review."""
    open_assignment = Assignment.objects.held_by(request.user).filter(blind=False)
    assignment = get_object_or_404(open_assignment.select_related("ticket"), pk=pk)
    template = "review/screen/_similar.html" if request.htmx else "review/screen/similar.html"
    context = {
        "assignment": assignment,
        "similar": similar_tickets(assignment.ticket),
        "page": PAGES[lane_for(request, assignment.lane)],
    }
    return render(request, template, context)


def _lane(request: HtmxHttpRequest) -> Lane:
    return lane_for(request, request.POST.get("lane", ""))


def _show(request: HtmxHttpRequest, lane: Lane) -> HttpResponse:
    if answer := form_recovery.restore_form(request, "review:decide"):
        return _offer_to_send(request, lane, answer)
    return _show_next(request, lane)


def _offer_to_send(request: HtmxHttpRequest, lane: Lane, answer: QueryDict) -> HttpResponse:
    """Offer to resend an answer whose sender had been signed out."""
    try:
        display_token = DisplayToken.parse(answer.get("display_token", ""), request.user)
    except InvalidToken:
        return redirect(PAGES[lane])
    form = AnswerForm(answer, options=Options.current())
    ticket = get_object_or_404(Ticket, assignments=display_token.assignment)
    pairs = [(name, value) for name, values in answer.lists() for value in values]
    context = {"answer": pairs, "ticket": ticket, "form": form, "sendable": form.is_valid()}
    return render(request, "review/screen/signed_out.html", context | {"page": PAGES[lane]})


def _show_next(request: HtmxHttpRequest, lane: Lane) -> HttpResponse:
    workspace = Workspace.load(request.user)
    assignment = leases.lease_next(request.user, lane, workspace.review_settings)
    if request.htmx and not assignment:
        # The page polls while nothing is left; 204 leaves it unchanged, with its undo button.
        return HttpResponse(status=204)
    last = None if request.htmx else decisions.latest_decision(request.user)
    return _render(request, lane, workspace, assignment, outcome=submit.outcome_of(last) if last else None)


def _go_on(
    request: HtmxHttpRequest, lane: Lane, outcome: AnswerOutcome, workspace: Workspace | None = None
) -> HttpResponse:
    """Respond with the next ticket; without htmx redirect, so that reloading resends nothing."""
    if request.htmx:
        workspace = workspace or Workspace.load(request.user)
        return _render(
            request, lane, workspace, leases.lease_next(request.user, lane, workspace.review_settings), outcome=outcome
        )
    if not outcome.done:
        messages.error(request, outcome.text)
    return redirect(PAGES[lane])


def _render(
    request: HtmxHttpRequest,
    lane: Lane,
    workspace: Workspace,
    assignment: Assignment | None,
    *,
    given: Selection | None = None,
    outcome: AnswerOutcome | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render the page for an assignment, or for htmx the parts that change with the ticket."""
    reviewer = request.user
    context: dict[str, Any] = {
        "card": assignment and _card(assignment, reviewer, workspace, given),
        "keys": workspace.keys,
        "lane": lane,
        "page": PAGES[lane],
        "outcome": outcome,
        "undo_key": uuid4(),
        "stats": session_stats.session_stats_for(reviewer, lane),
        "swapped": bool(request.htmx),
    }
    if assignment is None:
        context["unavailable"] = leases.unavailable_work(reviewer, lane)
    if request.htmx:
        return HttpResponse("".join(_parts(request, context).values()), status=status)
    context |= _parts(request, context) | _page_context(reviewer, workspace)
    return render(request, "review/screen/screen.html", context, status=status)


def _card(assignment: Assignment, reviewer: User, workspace: Workspace, given: Selection | None) -> Card:
    return Card(
        assignment,
        reviewer,
        workspace.review_settings,
        workspace.options,
        workspace.keys,
        workspace.names_further,
        given,
    )


def _page_context(reviewer: Any, workspace: Workspace) -> dict[str, Any]:
    """The parts of the page that stay when the ticket changes."""
    return {
        "lead_agreement": session_stats.lead_agreement(reviewer),
        "options": workspace.options,
        "guidelines": Options.guidelines(),
        "keys_json": json.dumps(workspace.keys),
    }


def _parts(request: HtmxHttpRequest, context: dict[str, Any]) -> dict[str, SafeString]:
    """Render the parts that change with the ticket, each by the template engine that has it."""
    context |= {"csrf_field": csrf_input(request)}
    card = ("review/screen/_card.html", "jinja2") if context["card"] else ("review/screen/_nothing_left.html", "django")
    parts = {
        "card_part": card,
        "session_part": ("review/screen/_session.html", "jinja2"),
        "outcome_part": ("review/screen/_outcome.html", "jinja2"),
    }
    rendered = {name: render_to_string(path, context, request, using) for name, (path, using) in parts.items()}
    return {name: mark_safe(part) for name, part in rendered.items()}  # noqa: S308 - templates escape what they are given
