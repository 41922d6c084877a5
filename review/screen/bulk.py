"""Previews and makes bulk decisions: which tickets get which label, which are left out, and why."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from classifier.text import key_from
from review.models import Assignment, Decision
from review.screen.attribute_options import missing
from review.screen.label_options import Options
from review.workflow import attribute_answers, decisions
from review.workflow.decision_records import Label, current_predictions
from review.workflow.decisions import MOST_AT_ONCE

MOST_CHOSEN = 1_000


class Exclusion(TextChoices):
    """Why an assignment is not decided in bulk."""

    MINE = "mine", gettext_lazy("already answered by you")
    GONE = "gone", gettext_lazy("no longer needing review")
    LEAD = "lead", gettext_lazy("with a lead")
    BLIND = "blind", gettext_lazy("reserved for blind review")
    UNLABELLED = "unlabelled", gettext_lazy("without a suggestion")
    RETIRED = "retired", gettext_lazy("suggested with a retired label")
    INCOMPLETE = "incomplete", gettext_lazy("lacking a required attribute")
    LEASED = "leased", gettext_lazy("open with someone else")
    CHANGED = "changed", gettext_lazy("now suggested with another label")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelGroup:
    """Assignments that would get the same label; `name` is its full name."""

    label: Label
    name: str
    selected: list[Assignment]

    @property
    def assignments(self) -> list[Assignment]:
        """The assignments that one confirmation decides, at most MOST_AT_ONCE."""
        return self.selected[:MOST_AT_ONCE]

    @property
    def over(self) -> int:
        """How many stay in the queue."""
        return len(self.selected) - len(self.assignments)

    @property
    def token(self) -> str:
        """Names the label in a form."""
        return f"{self.label.category.pk}-{self.label.sentiment.pk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What accepting would do. Several groups cannot be accepted together: one confirmation is for one label."""

    groups: list[LabelGroup]
    left_out: dict[Exclusion, list[Assignment]]

    @property
    def group(self) -> LabelGroup | None:
        """The only group; None if there is none or more than one."""
        return self.groups[0] if len(self.groups) == 1 else None

    def confirmed(self, token: str) -> "Preview":
        """Only the group that the person confirmed; all others are left out as changed."""
        others = [assignment for group in self.groups if group.token != token for assignment in group.selected]
        left_out = self.left_out | {Exclusion.CHANGED: others} if others else self.left_out
        return replace(self, groups=[group for group in self.groups if group.token == token], left_out=left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """The number of decisions, a message, and a decision whose undo undoes them all."""

    number: int
    text: str
    undoable: Decision | None


def selected_assignments(pks: Iterable[str]) -> list[Assignment]:
    """The assignments with these keys from a form, without duplicates and unknown keys (one query)."""
    wanted = dict.fromkeys(filter(None, map(key_from, pks)))
    assignments = Assignment.objects.with_excerpts().select_related("category", "sentiment")
    assignment_by_pk = assignments.in_bulk(list(wanted)[:MOST_CHOSEN])
    return [assignment_by_pk[pk] for pk in wanted if pk in assignment_by_pk]


def waiting_duplicates(group: int) -> list[Assignment]:
    """Waiting near-duplicates of a group, at most MOST_AT_ONCE (one query)."""
    assignments = Assignment.objects.for_bulk().filter(group=group).with_excerpts()
    return list(assignments.select_related("category", "sentiment")[:MOST_AT_ONCE])


def exclusion_for(assignment: Assignment, reviewer: User, now: datetime) -> Exclusion | None:
    """Why this person cannot decide the assignment in bulk, or None."""
    if assignment.state != Assignment.State.OPEN:
        return Exclusion.MINE if assignment.reviewer_id == reviewer.pk else Exclusion.GONE
    if assignment.lane != Assignment.Lane.AGENTS:
        return Exclusion.LEAD
    if assignment.blind:
        return Exclusion.BLIND
    if assignment.category_id is None:
        return Exclusion.UNLABELLED
    return None if assignment.reviewer_id == reviewer.pk or assignment.is_free(now) else Exclusion.LEASED


def _suggested_label(assignment: Assignment) -> Label | None:
    """The suggested label, or None if it is retired."""
    category, sentiment = assignment.category, assignment.sentiment
    if category is None or sentiment is None or category.retired or sentiment.retired:
        return None
    return Label(category, sentiment)


def preview(assignments: Sequence[Assignment], reviewer: User, label: Label | None = None) -> Preview:
    """Group assignments by their suggestions, or all under one label, largest group first (two queries, or more where
    attributes are required).

    The assignments need excerpts, as from `selected_assignments` or `waiting_duplicates`.
    """
    options, now = Options.current(), timezone.now()
    is_incomplete = _incompleteness(assignments, options)
    groups: dict[tuple[int, int], LabelGroup] = {}
    left_out: dict[Exclusion, list[Assignment]] = {}
    for assignment in assignments:
        exclusion, chosen = exclusion_for(assignment, reviewer, now), label or _suggested_label(assignment)
        if chosen and not exclusion and is_incomplete(assignment, chosen):
            exclusion = Exclusion.INCOMPLETE
        if exclusion or chosen is None:
            left_out.setdefault(exclusion or Exclusion.RETIRED, []).append(assignment)
        else:
            name = f"{options.category_name(chosen.category.pk)} | {chosen.sentiment.name}"
            key = (chosen.category.pk, chosen.sentiment.pk)
            groups.setdefault(key, LabelGroup(label=chosen, name=name, selected=[])).selected.append(assignment)
    return Preview(groups=sorted(groups.values(), key=lambda group: -len(group.selected)), left_out=left_out)


def _incompleteness(assignments: Sequence[Assignment], options: Options) -> Callable[[Assignment, Label], bool]:
    """Tells whether an assignment decided with a label would lack a required attribute (no query if none is required,
    else three).
    """
    if not any(attribute.required for attribute in options.attributes):
        return lambda _assignment, _label: False
    predictions = current_predictions([assignment.ticket_id for assignment in assignments])
    of_text = attribute_answers.text_keys()

    def is_incomplete(assignment: Assignment, label: Label) -> bool:
        own = attribute_answers.completed(label, predictions.get(assignment.ticket_id), of_text)
        return missing(options.attributes, options.category_name(label.category.pk), own.attributes)

    return is_incomplete


def accept(previewed: Preview, reviewer: User) -> BulkResult:
    """Decide the previewed group; tickets that others decided first are left out."""
    group, left_out = previewed.group, dict(previewed.left_out)
    made = decisions.decide_many(group.assignments, reviewer, group.label) if group else []
    decided = {decision.assignment_id for decision in made}
    if group and (missed := [assignment for assignment in group.assignments if assignment.pk not in decided]):
        reason = Exclusion.GONE if made or _is_offered(group.label) else Exclusion.RETIRED
        left_out[reason] = [*left_out.get(reason, []), *missed]
    mine = [assignment.pk for assignment in left_out.get(Exclusion.MINE, [])]
    return BulkResult(
        number=len(made),
        text=_summary(len(made), group.name if group else "", left_out),
        undoable=made[0] if made else _batch_of(mine, reviewer),
    )


def _is_offered(label: Label) -> bool:
    """Whether the label is still not retired (two queries)."""
    parts = (label.category, label.sentiment)
    return all(type(part)._default_manager.filter(pk=part.pk, retired=False).exists() for part in parts)


def _summary(number: int, label: str, left_out: dict[Exclusion, list[Assignment]]) -> str:
    accepted = ngettext(
        "%(number)d ticket accepted as %(label)s.", "%(number)d tickets accepted as %(label)s.", number
    ) % {"number": number, "label": label}
    text = accepted if number else _("No tickets accepted.")
    why = ", ".join(f"{len(assignments)} {exclusion.label}" for exclusion, assignments in left_out.items())
    return text + " " + _("Left out: %s.") % why if left_out else text


def _batch_of(assignments: list[int], reviewer: User) -> Decision | None:
    """The decision of a double click's first request, so that the second can offer undo."""
    mine = Decision.objects.by(reviewer).effective().filter(assignment__in=assignments, batch__isnull=False)
    return mine.order_by("-pk").first()
