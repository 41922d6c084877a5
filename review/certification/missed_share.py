"""How many of the model's errors people overlook, by the second looks at errors that they found. Pure.

Whoever labels a ticket blind overlooks the model's error by making the same one. Every error that one person finds goes
to a second person, blind as well: how often the second one makes the model's error is how often anyone does, if two
people who label the same ticket do so independently. The share is tested as a certificate is, from 8% down.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from review.certification.sequential_test import DrawBatch, SequentialTest

REPEATED = (0.08, 0.06, 0.04, 0.03, 0.02, 0.01)
"""The shares of second looks that are tested, each after those before it."""


@dataclass(slots=True)
class SecondLooks:
    """One test per share of REPEATED."""

    tests: list[SequentialTest]

    @classmethod
    def start(cls, risk: float) -> "SecondLooks":
        return cls([SequentialTest.start([0.0], share, risk) for share in REPEATED])

    def add(self, repeated: Iterable[bool]) -> None:
        """Add second looks at errors, in order: whether each repeated the model's error."""
        looks = DrawBatch.carried((1.0, is_repeated, False) for is_repeated in repeated)
        for test in self.tests:
            test.add(looks)

    def most_missed(self, assumed: float) -> float:
        """The largest share of errors that audits miss; `assumed` until less is proven."""
        proven = [share for share in REPEATED if self.tests[REPEATED.index(share)].certified]
        return min([assumed, *(missed_by_audits(share) for share in proven)])


def missed_by_audits(repeated: float) -> float:
    """The share of errors that audits miss if second looks at errors repeat this share of them.

    An audit misses an error if the first person makes it, or if the second and the lead do. Of errors that were found,
    the second person made 1 in m of 1 + m.
    """
    error = repeated / (1 - repeated)
    return error + (1 - error) * error**2
