"""Holds bursts of alike tickets until people have reviewed one of them.

An outage sends many alike tickets that are right or wrong together. The first two of them pass the gate like any other
ticket. From the third on, one goes to a person, and the others wait until that person has found the answer right.
"""

from typing import NamedTuple

UNGUARDED = 2
"""Tickets of a cluster that pass the gate like any other; two alike are no incident."""


class ClusterReviews(NamedTuple):
    """How many tickets came in a cluster, how many answers people found right and wrong, and how many wait for them."""

    tickets: int = 0
    right: int = 0
    wrong: int = 0
    waiting: int = 0

    @property
    def hold(self) -> bool:
        """Whether further tickets of the cluster go to people: none was found right yet, or one was found wrong."""
        return self.tickets >= UNGUARDED and (self.wrong > 0 or self.right == 0)

    def audit_share(self, usual: float) -> float:
        """The probability of an audit of the next ticket: certain for one at a time until one is found right, then half
        with each further one that is found right, down to the `usual` share.
        """
        if self.tickets < UNGUARDED or self.wrong or self.waiting:
            return usual
        return max(usual, 0.5**self.right)
