"""A cluster of alike tickets, and what follows from it for the next one. Pure."""

from typing import NamedTuple

UNGUARDED = 2
"""Tickets of a cluster that pass the gate like any other; two alike are no incident."""


class Cluster(NamedTuple):
    """The alike tickets that came before: how many, and how many answers people found right and wrong, or have yet to
    review.
    """

    tickets: int = 0
    right: int = 0
    wrong: int = 0
    waiting: int = 0

    @property
    def hold(self) -> bool:
        """Whether the next ticket goes to people: none was found right yet, or one was found wrong."""
        return self.tickets >= UNGUARDED and (self.wrong > 0 or self.right == 0)

    def audit_share(self, usual: float) -> float:
        """The probability of an audit of the next ticket: certain for one at a time until one is found right, then half
        with each further one that is found right, down to the `usual` share.
        """
        if self.tickets < UNGUARDED or self.wrong or self.waiting:
            return usual
        return max(usual, 0.5**self.right)
