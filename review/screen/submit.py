"""Submits answers and undos, and words their outcomes."""

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
    """The message for an answer, the decision that can be undone, and the near-duplicates to offer."""

    text: str
    done: bool = True
    undoable: Decision | None = None
    duplicates: int = 0
    """Waiting near-duplicates that could get the same label."""

    @property
    def duplicates_offer(self) -> str:
        text = ngettext(
            "%(number)s near-duplicate waiting: decide it too",
            "%(number)s near-duplicates waiting: decide them together",
            self.duplicates,
        )
        return text % {"number": self.duplicates}


def submit_answer(reviewer: User, form: AnswerForm, display_token: DisplayToken) -> AnswerOutcome:
    """Record a valid answer, or explain why it came too late. A repeated answer gives the same outcome.

    Raises Ticket.DoesNotExist or Assignment.DoesNotExist if the ticket is gone.
    """
    assignment = display_token.assignment_stub()
    try:
        decision = _record(assignment, reviewer, form, display_token)
    except TooLate as late:
        return refusal(reviewer, _too_late(late, assignment, reviewer, form))
    return outcome_of(decision, has_no_duplicates=display_token.has_no_duplicates)


def _record(assignment: Assignment, reviewer: User, form: AnswerForm, display_token: DisplayToken) -> Decision:
    values = form.cleaned_data
    shown, key, note = display_token.presented(), values["key"], values["note"]
    if values["skip"]:
        return decisions.skip(assignment, reviewer, SkipReason(values["skip"]), shown=shown, key=key, note=note)
    if values["escalate"]:
        return decisions.escalate(assignment, reviewer, note=form.note_for_lead, shown=shown, key=key)
    assert form.label  # noqa: S101 - a valid answer is a skip, an escalation or a label
    return decisions.decide(assignment, reviewer, form.label, shown=shown, key=key, note=note)


def outcome_of(decision: Decision, *, has_no_duplicates: bool = False) -> AnswerOutcome:
    """Describe a new decision, or the latest one when the page opens.

    `has_no_duplicates` skips the search for waiting near-duplicates.
    """
    number = {"number": decision.ticket_id, "label": decision.label}
    match decision.verdict:
        case Decision.Verdict.SKIPPED:
            return AnswerOutcome(text=_("Ticket %(number)d skipped.") % number, undoable=decision)
        case Decision.Verdict.ESCALATED:
            return AnswerOutcome(text=_("Ticket %(number)d escalated to a lead.") % number, undoable=decision)
    text, duplicates = _("Ticket %(number)d: %(label)s.") % number, 0
    if not (has_no_duplicates or decision.blind):
        duplicates = queries.duplicates_of(
            decision.assignment.group_id, decision.ticket_id, decisions.MOST_AT_ONCE
        ).waiting
    return AnswerOutcome(text=text + _reveal(decision), undoable=decision, duplicates=duplicates)


def refusal(reviewer: User, text: str, before: Decision | None = None) -> AnswerOutcome:
    """Explain why nothing was done; the latest decision (or the one before `before`) can still be undone."""
    return AnswerOutcome(text=text, done=False, undoable=decisions.latest_decision(reviewer, before=before))


def undo(decision: Decision | None, reviewer: User, key: UUID, *, single: bool = False) -> AnswerOutcome:
    """Undo a decision and its batch, or only the `single` decision, or explain why that is not possible."""
    if decision is None:
        return AnswerOutcome(text=_("Nothing to undo."), done=False)
    try:
        undone = decisions.undo(decision, reviewer, key=key, single=single)
    except CannotUndo:
        undone_before = Decision.objects.filter(undoes=decision).exists()
        acted_on = _("This cannot be undone: someone has already acted on it.")
        text = _("This is already undone.") if undone_before else acted_on
        return refusal(reviewer, text, before=decision)
    if undone[0].batch and not single:
        text = ngettext("%d decision undone.", "%d decisions undone.", len(undone)) % len(undone)
    else:
        text = _("Undone. Ticket %d is open again.") % undone[0].ticket_id
    return AnswerOutcome(text=text, undoable=decisions.latest_decision(reviewer))


def _reveal(decision: Decision) -> str:
    """The model's hidden answer, once it may be revealed: never while another label is awaited."""
    if not (decision.blind and decision.prediction and ReviewSettings.current().reveal):
        return ""
    if Ticket.objects.filter(pk=decision.ticket_id, sealed=True).exists():
        return ""
    prediction = decision.prediction
    model = {"category": prediction.category, "sentiment": prediction.sentiment}
    return " " + _("The model said %(category)s | %(sentiment)s.") % model


def _too_late(late: TooLate, assignment: Assignment, reviewer: User, form: AnswerForm) -> str:
    """Explain who acted first, as far as it may be revealed, and what was not recorded."""
    mine = Decision.objects.by(reviewer).effective().labelled().with_labels().filter(ticket=late.ticket).last()
    if not mine:
        return _what_others_did(late, assignment) + " " + _not_recorded(form)
    values = {"number": late.ticket.pk, "label": mine.label}
    message = _("You already answered ticket %(number)d: %(label)s.") % values
    return message if form.label else message + " " + _not_recorded(form)


def _not_recorded(form: AnswerForm) -> str:
    if form.cleaned_data["skip"]:
        return _("Your skip was not recorded.")
    if form.cleaned_data["escalate"]:
        return _("Your escalation was not recorded.")
    return _("Your answer was not recorded.")


def _what_others_did(late: TooLate, assignment: Assignment) -> str:
    number, final = {"number": late.ticket.pk}, late.final_decision
    assignment = Assignment.objects.get(pk=assignment.pk)
    if assignment.state == Assignment.State.OPEN and assignment.reviewer_id:
        return _("Someone else has ticket %(number)d open now.") % number
    if final:
        values = number | {"person": final.reviewer, "label": final.label}
        return _("%(person)s answered first: ticket %(number)d is %(label)s.") % values
    if assignment.state == Assignment.State.ANSWERED:
        return _("Someone else has answered ticket %(number)d.") % number
    return _("Ticket %(number)d no longer needs review.") % number
