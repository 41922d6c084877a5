"""Merges, retires and restores labels, and reclassifies tickets afterwards."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _
from simple_history.models import HistoricalChanges
from simple_history.utils import bulk_update_with_history, update_change_reason

from classifier import tasks
from classifier.models import Attribute, AttributeOption, Category, DraftLabel, Sentiment, Ticket
from classifier.models.taxonomy import LabelWithShortcut
from classifier.models.ticket import TicketQuerySet, state_changed

AnyLabel = Category | Sentiment | AttributeOption
CHUNK = 5_000


@transaction.atomic(durable=True)
def merge(source: AnyLabel, into: AnyLabel) -> None:
    """Move everything that uses `source` to `into`, and retire `source`. Merging again changes nothing.

    Raises ValidationError if the labels cannot be merged.
    """
    source, into = _locked(source, into)
    if source.merged_into_id != into.pk:
        merge_locked(source, into)


def merge_locked(source: AnyLabel, into: AnyLabel) -> None:
    """Merge a label, in a transaction that has locked all labels of its axis. Raises ValidationError."""
    _check_mergeable(source, into)
    for relation in _references(type(source)):
        # A draft may contain both labels; it detects changes itself.
        if relation.related_model is not DraftLabel:
            _move(relation, source, into)
    source.retired, source.merged_into = True, into
    source.save(update_fields=["retired", "merged_into"])
    update_change_reason(source, _("merged into %s") % into)


def _move(relation: models.ManyToOneRel, source: AnyLabel, into: AnyLabel) -> None:
    model, name = relation.related_model, relation.field.name
    rows = model._base_manager.filter(**{name: source})
    if model is Attribute.categories.through and isinstance(into, Category):
        # An attribute may be asked of both.
        both = model._base_manager.filter(category=into).values_list("attribute", flat=True)
        rows.filter(attribute__in=list(both)).delete()
    if not hasattr(model._meta, "simple_history_manager_attribute"):
        rows.update(**{name: into})
        return
    moved = list(rows)
    for row in moved:
        setattr(row, name, into)
    reason = _("%(source)s was merged into %(into)s") % {"source": source, "into": into}
    bulk_update_with_history(moved, model, [name], default_change_reason=reason, manager=model._base_manager)


def _check_mergeable(source: AnyLabel, into: AnyLabel) -> None:
    if source.pk == into.pk:
        raise ValidationError(_("A label cannot be merged into itself."))
    if source.merged_into_id:
        merged = {"source": source, "into": source.merged_into}
        raise ValidationError(_("%(source)s was merged into %(into)s already.") % merged)
    if into.retired:
        raise ValidationError(_("%s is retired; restore it first, or choose another.") % into)
    names: dict[str, object] = {"into": into, "source": source}
    if isinstance(into, Category) and isinstance(source, Category):
        if into.answers_for(source):
            raise ValidationError(_("%(into)s is inside %(source)s; move it first.") % names)
        children = source.children.filter(retired=False)
        if twins := list(children.filter(name__in=into.children.filter(retired=False).values("name"))):
            names["twins"] = ", ".join(map(str, twins))
            raise ValidationError(_("Both %(source)s and %(into)s contain %(twins)s; merge those first.") % names)


@transaction.atomic(durable=True)
def retire(label: AnyLabel) -> None:
    """Stop offering the label; tickets keep it. Raises ValidationError for the last label or one with children."""
    (label,) = _locked(label)
    if not label.retired:
        retire_locked(label)


def retire_locked(label: AnyLabel) -> None:
    """Retire an active label, in a transaction that has locked all labels of its axis. Raises ValidationError."""
    if _is_last(label):
        raise ValidationError(_("%s is the last active label; add another before retiring it.") % label)
    if isinstance(label, Category) and (children := list(label.children.filter(retired=False))):
        names = ", ".join(map(str, children))
        raise ValidationError(
            _("%(label)s still contains %(names)s; retire or move them first.") % {"label": label, "names": names}
        )
    label.retired = True
    label.save(update_fields=["retired"])


@transaction.atomic(durable=True)
def restore(label: AnyLabel) -> None:
    """Reactivate a retired label. Raises ValidationError if it was merged, or its name or parent is unavailable."""
    (label,) = _locked(label)
    if not label.retired:
        return
    if label.merged_into_id:
        merged = {"label": label, "into": label.merged_into}
        raise ValidationError(_("%(label)s was merged into %(into)s; add a new one.") % merged)
    if isinstance(label, Category) and label.parent and label.parent.retired:
        above = {"label": label, "parent": label.parent}
        raise ValidationError(_("%(parent)s, the parent of %(label)s, is retired; restore it first.") % above)
    label.retired, changed = False, ["retired"]
    if isinstance(label, LabelWithShortcut):
        label.shortcut = label.free_shortcut()
        changed.append("shortcut")
    label.clean()
    label.save(update_fields=changed)


def is_in_use(label: AnyLabel) -> bool:
    """Whether anything refers to the label, so that it can be retired or merged but not deleted."""
    return any(rows.exists() for rows in _referring(label))


def references(label: AnyLabel) -> Iterator[tuple[str, int]]:
    """Yield the name and number of each kind of object that refers to the label (one query each)."""
    for rows in _referring(label):
        count, kind = rows.count(), rows.model._meta
        yield str(kind.verbose_name if count == 1 else kind.verbose_name_plural), count


def _referring(label: AnyLabel) -> Iterator[models.QuerySet[Any]]:
    for relation in _references(type(label)):
        yield relation.related_model._base_manager.filter(**{relation.field.name: label})


def is_deletable(label: AnyLabel) -> bool:
    """Whether the label can be deleted: nothing refers to it, and it is not the last active one."""
    return not is_in_use(label) and not (not label.retired and _is_last(label))


def classify_again(tickets: TicketQuerySet) -> int:
    """Queue auto-accepted tickets and those that need review for classification again. Returns how many."""
    open_again = tickets.filter(state__in=[Ticket.State.AUTO_ACCEPTED, Ticket.State.NEEDS_REVIEW])
    done = after = 0
    while pks := list(open_again.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        after = pks[-1]
        done += _reopen(pks)
    return done


@transaction.atomic(durable=True)
def _reopen(pks: list[int]) -> int:
    still_open = list(
        Ticket.objects.select_for_update()
        .filter(pk__in=pks, state__in=[Ticket.State.AUTO_ACCEPTED, Ticket.State.NEEDS_REVIEW])
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    # Of new tickets, those that somebody waits for come first.
    Ticket.objects.filter(pk__in=still_open).release(state=Ticket.State.NEW, attempts=0, bulk=True)
    state_changed.send(Ticket, ticket_pks=still_open, state=Ticket.State.NEW)
    transaction.on_commit(tasks.enqueue_classification, robust=True)
    return len(still_open)


def _locked(*labels: AnyLabel) -> list[Any]:
    """Reload the labels and lock all labels of their axis, because \"last active\" depends on every row."""
    rows = labels[0].siblings().select_for_update().order_by("pk").in_bulk()
    if strangers := [label for label in labels if label.pk not in rows]:
        raise ValidationError(_("%s belongs to another attribute.") % strangers[0])
    return [rows[label.pk] for label in labels]


def _is_last(label: AnyLabel) -> bool:
    return not label.siblings().filter(retired=False).exclude(pk=label.pk).exists()


def _references(model: type[AnyLabel]) -> Iterator[models.ManyToOneRel]:
    """Every foreign key to this table in any app, except from history tables."""
    for relation in model._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and not issubclass(relation.related_model, HistoricalChanges):
            yield relation
