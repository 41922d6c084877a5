"""Reads the first words of tickets without loading their texts, which may be long."""

from django.db.models.functions import Substr

from classifier.text import excerpt
from review.models import Assignment
from review.models.assignment import AssignmentQuerySet

EXCERPT, READ_CHARACTERS = 90, 600


def with_excerpts(assignments: AssignmentQuerySet) -> AssignmentQuerySet:
    """Annotate the start of each ticket's text, for `excerpt_of`."""
    return assignments.annotate(beginning=Substr("ticket__text", 1, READ_CHARACTERS))


def excerpt_of(assignment: Assignment) -> str:
    """The first words of the ticket of an assignment that came `with_excerpts`."""
    return excerpt(vars(assignment)["beginning"], EXCERPT)
