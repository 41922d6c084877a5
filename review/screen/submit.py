"""From an answer that came in to what the person is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import Ticket
from review.models import Assignment, Decision, ReviewSettings, SkipReason
from review.screen import queries
from review.screen.display_token import DisplayToken
from review.screen.forms import AnswerForm
from review.workflow import decisions
from review.workflow.decisions import CannotUndo, TooLate


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOutcome:
    """What became of an answer, in a sentence; and what can be done about it."""

    text: str
    done: bool = True
    undoable: Decision | None = None
    alike: int = 0
    """How many near-duplicates wait that could be given the same label."""

    @property
    def alike_offered(self) -> str:
        number = {"number": self.alike}
        one, more = "%(number)s more like it waits: decide it too", "%(number)s more like it wait: decide them together"
        return ngettext(one, more, self.alike) % number


def submit_answer(reviewer: User, form: AnswerForm, display_token: DisplayToken) -> AnswerOutcome:
    """Write down a valid answer, or say why it came too late. An answer sent again gives the same outcome.

    Raises Ticket.DoesNotExist or Assignment.DoesNotExist where the ticket is gone.
    """
    assignment = display_token.assignment_stub()
    try:
        decision = _write(assignment, reviewer, form, display_token)
    except TooLate as late:
        return refusal(reviewer, _too_late(late, assignment, reviewer, form))
    return outcome_of(decision, has_no_duplicates=display_token.has_no_duplicates)


def _write(assignment: Assignment, reviewer: User, form: AnswerForm, display_token: DisplayToken) -> Decision:
    values = form.cleaned_data
    shown, key, note = display_token.presented(), values["key"], values["note"]
    if values["skip"]:
        return decisions.skip(assignment, reviewer, SkipReason(values["skip"]), shown=shown, key=key, note=note)
    if values["escalate"]:
        return decisions.escalate(assignment, reviewer, note=form.note_for_lead, shown=shown, key=key)
    assert form.label  # noqa: S101 - a valid answer that passes nothing on has a label
    return decisions.decide(assignment, reviewer, form.label, shown=shown, key=key, note=note)


def outcome_of(decision: Decision, *, has_no_duplicates: bool = False) -> AnswerOutcome:
    """What is said of a decision that was just made, or of the latest one when the page opens.

    `single`: it is known that nothing like its ticket waits.
    """
    number = {"number": decision.ticket_id, "label": decision.label}
    match decision.verdict:
        case Decision.Verdict.SKIPPED:
            return AnswerOutcome(text=_("Ticket %(number)d is passed on.") % number, undoable=decision)
        case Decision.Verdict.ESCALATED:
            return AnswerOutcome(text=_("Ticket %(number)d is with a lead.") % number, undoable=decision)
    text, alike = _("Ticket %(number)d: %(label)s.") % number, 0
    if not (has_no_duplicates or decision.blind):
        alike = queries.duplicates_of(decision.assignment.group_id, decision.ticket_id, decisions.MOST_AT_ONCE).waiting
    return AnswerOutcome(text=text + _reveal(decision), undoable=decision, alike=alike)


def refusal(reviewer: User, text: str, before: Decision | None = None) -> AnswerOutcome:
    """Why nothing was done; what was decided last, or before that decision, can be undone all the same."""
    return AnswerOutcome(text=text, done=False, undoable=decisions.latest_decision(reviewer, before=before))


def undo(decision: Decision | None, reviewer: User, key: UUID, *, single: bool = False) -> AnswerOutcome:
    """Take a decision back, with what was decided in one go with it or `single`, or say why that is not possible."""
    if decision is None:
        return AnswerOutcome(text=_("There is nothing to undo."), done=False)
    try:
        undone = decisions.undo(decision, reviewer, key=key, single=single)
    except CannotUndo:
        text = _("This cannot be undone: others have gone on from it meanwhile.")
        return refusal(reviewer, text, before=decision)
    if undone[0].batch and not single:
        text = ngettext("%d decision is undone.", "%d decisions are undone.", len(undone)) % len(undone)
    else:
        text = _("Undone: ticket %d is back in your hands.") % undone[0].ticket_id
    return AnswerOutcome(text=text, undoable=decisions.latest_decision(reviewer))


def _reveal(decision: Decision) -> str:
    """What the model said, where that was hidden and need not be any longer: not while another label is awaited."""
    if not (decision.blind and decision.prediction and ReviewSettings.current().reveal):
        return ""
    if Ticket.objects.filter(pk=decision.ticket_id, sealed=True).exists():
        return ""
    prediction = decision.prediction
    model = {"category": prediction.category, "sentiment": prediction.sentiment}
    return " " + _("The model said %(category)s | %(sentiment)s.") % model


def _too_late(late: TooLate, assignment: Assignment, reviewer: User, form: AnswerForm) -> str:
    """What happened meanwhile, as far as it may be told, and what was not recorded for that."""
    mine = Decision.objects.by(reviewer).effective().labelled().with_labels().filter(ticket=late.ticket).last()
    if not mine:
        return _what_others_did(late, assignment) + " " + _not_recorded(form)
    said = {"number": late.ticket.pk, "label": mine.label}
    happened = _("You have answered ticket %(number)d already: %(label)s.") % said
    return happened if form.label else happened + " " + _not_recorded(form)


def _not_recorded(form: AnswerForm) -> str:
    if form.cleaned_data["skip"]:
        return _("Your skip was not recorded.")
    if form.cleaned_data["escalate"]:
        return _("Your escalation was not recorded.")
    return _("Your answer was not recorded.")


def _what_others_did(late: TooLate, assignment: Assignment) -> str:
    number, standing = {"number": late.ticket.pk}, late.standing
    assignment = Assignment.objects.get(pk=assignment.pk)
    if assignment.state == Assignment.State.OPEN and assignment.reviewer_id:
        return _("Somebody else has ticket %(number)d in hand by now.") % number
    if standing:
        said = number | {"person": standing.reviewer, "label": standing.label}
        return _("%(person)s was faster: ticket %(number)d is %(label)s.") % said
    if assignment.state == Assignment.State.ANSWERED:
        return _("Somebody else has answered ticket %(number)d meanwhile.") % number
    return _("Ticket %(number)d is no longer asked about.") % number
