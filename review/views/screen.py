"""The review screen: one ticket at a time, and an answer that already holds the next."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from classifier import kept
from classifier.models import Ticket
from review import answering, decisions, glance, pace, queue
from review.answering import Outcome
from review.card import Card, Chosen
from review.forms import AnswerForm
from review.http import HtmxHttpRequest, key_of
from review.models import Decision, Desk, Preferences, Seat
from review.options import Options
from review.showing import NotShown, Showing

Lane = Seat.Lane
COUNTED = 1_000
PAGES = {Lane.AGENTS: "review:screen", Lane.LEADS: "review:work"}

reviews = permission_required("review.add_decision", raise_exception=True)
adjudicates = permission_required("review.adjudicate", raise_exception=True)


@never_cache
@vary_on_headers("HX-Request")
@require_GET
@reviews
def screen(request: HtmxHttpRequest) -> HttpResponse:
    if answer := kept.take(request, "review:decide"):
        return _offer_to_send(request, answer)
    return _show_next(request, Lane.AGENTS)


@never_cache
@vary_on_headers("HX-Request")
@require_GET
@adjudicates
def work(request: HtmxHttpRequest) -> HttpResponse:
    return _show_next(request, Lane.LEADS)


@kept.keeps_input("review:screen")
@require_POST
@reviews
def decide(request: HtmxHttpRequest) -> HttpResponse:
    try:
        showing = Showing.read(request.POST.get("showing", ""), request.user)
    except NotShown:
        return _go_on(request, Lane.AGENTS, Outcome(text=_("That answer was for somebody else."), done=False))
    seat, options = get_object_or_404(Seat, pk=showing.seat), Options.current()
    form = AnswerForm(request.POST, options=options)
    if not form.is_valid():
        return _render(request, Lane(seat.lane), seat, options=options, given=form.chosen(), status=422)
    return _go_on(request, Lane(seat.lane), answering.answer(seat, request.user, form, showing), options)


@require_POST
@reviews
def undo(request: HtmxHttpRequest) -> HttpResponse:
    """The decision named, else the person's latest one; what was decided in the queue's table leads back there."""
    pk, mine = request.POST.get("decision", ""), Decision.objects.by(request.user)
    decision = get_object_or_404(mine, pk=pk) if pk.isdecimal() else decisions.last_of(request.user)
    outcome = answering.undo(decision, request.user, key_of(request))
    if "back" in request.POST:
        (messages.success if outcome.done else messages.error)(request, outcome.text)
        return redirect(reverse("review:queue", query=QueryDict(request.POST["back"])))
    in_hand = Seat.objects.held_by(request.user).first()
    return _go_on(request, Lane(in_hand.lane) if in_hand else Lane.AGENTS, outcome)


@require_POST
@reviews
def keep(request: HtmxHttpRequest) -> HttpResponse:
    """Renew the lease; 409 tells the page that somebody else may take the ticket now."""
    seat = request.POST.get("seat", "")
    kept = seat.isdecimal() and queue.keep(request.user, int(seat))
    return HttpResponse(status=204 if kept else 409)


@require_POST
@reviews
def look_again(request: HtmxHttpRequest) -> HttpResponse:
    queue.look_again(request.user)
    return redirect(PAGES[Lane.AGENTS])


@require_POST
@reviews
def take(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """This very ticket, from a list."""
    lane = Lane.LEADS if request.POST.get("lane") == Lane.LEADS else Lane.AGENTS
    if lane == Lane.LEADS and not request.user.has_perm("review.adjudicate"):
        lane = Lane.AGENTS
    ticket = get_object_or_404(Ticket, pk=pk)
    try:
        queue.take(request.user, ticket, lane)
    except queue.Taken:
        messages.error(request, _("Ticket %d cannot be had now: somebody has it, or nobody is asked.") % pk)
        return redirect("review:lead" if lane == Lane.LEADS else "review:queue")
    return redirect(PAGES[lane])


@require_http_methods(["GET", "POST"])
@reviews
def alike(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """The near-duplicates of a ticket just decided: those that stay ticked get its label, once that is confirmed."""
    mine = Decision.objects.by(request.user).standing().labelled().select_related("category", "sentiment", "seat")
    decision = get_object_or_404(mine, pk=pk)
    waiting = answering.alike_to(decision, decision.seat.group).select_related("ticket", "category", "sentiment")
    if request.method == "POST":
        ticked = waiting.filter(pk__in=[seat for seat in request.POST.getlist("seat") if seat.isdecimal()])
        decided = decisions.decide_many(list(ticked), request.user, decisions.label_of(decision))
        messages.success(
            request, _("%(number)d tickets: %(label)s.") % {"number": len(decided), "label": decision.label}
        )
        return redirect(PAGES[Lane.AGENTS])
    context = {"decision": decision, "seats": waiting[: decisions.MOST_AT_ONCE]}
    return render(request, "review/alike.html", context)


def _offer_to_send(request: HtmxHttpRequest, answer: QueryDict) -> HttpResponse:
    """An answer whose sender had been signed out, once more before it counts."""
    try:
        showing = Showing.read(answer.get("showing", ""), request.user)
    except NotShown:
        return redirect(PAGES[Lane.AGENTS])
    form = AnswerForm(answer, options=Options.current())
    ticket = get_object_or_404(Ticket, seats=showing.seat)
    context = {"answer": answer.items(), "ticket": ticket, "form": form, "sendable": form.is_valid()}
    return render(request, "review/signed_out.html", context)


def _show_next(request: HtmxHttpRequest, lane: Lane) -> HttpResponse:
    seat = queue.next_for(request.user, lane)
    last = None if request.htmx else decisions.last_of(request.user)
    return _render(request, lane, seat, outcome=answering.outcome_of(last) if last else None)


def _go_on(request: HtmxHttpRequest, lane: Lane, outcome: Outcome, options: Options | None = None) -> HttpResponse:
    """The next ticket in the same answer; without htmx a page of its own, so that reloading sends nothing again."""
    if request.htmx:
        return _render(request, lane, queue.next_for(request.user, lane), options=options, outcome=outcome)
    if not outcome.done:
        messages.error(request, outcome.text)
    return redirect(PAGES[lane])


def _render(
    request: HtmxHttpRequest,
    lane: Lane,
    seat: Seat | None,
    *,
    options: Options | None = None,
    given: Chosen | None = None,
    outcome: Outcome | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page with this seat's ticket, or the parts of it that change with a ticket."""
    reviewer, keys = request.user, Preferences.of(request.user).active
    options = options or Options.current()
    context: dict[str, Any] = {
        "card": seat and Card(seat, reviewer, Desk.current(), options, keys, given),
        "keys": keys,
        "page": PAGES[lane],
        "outcome": outcome,
        "undo_key": uuid4(),
        "waiting": _waiting(lane),
        "pace": pace.pace_of(reviewer),
    }
    if seat is None:
        context["left"] = queue.left_for(reviewer, lane)
    if request.htmx:
        return render(request, "review/_screen.html", context, status=status)
    context |= {
        "upheld": pace.upheld(reviewer),
        "options": options,
        "guidelines": Options.guidelines(),
        "keys_json": json.dumps(keys),
    }
    return render(request, "review/screen.html", context, status=status)


def _waiting(lane: Lane) -> dict[str, Any]:
    number = glance.waiting(lane, COUNTED)
    return {"number": min(number, COUNTED - 1), "more": number == COUNTED}
