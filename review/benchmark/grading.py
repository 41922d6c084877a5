"""Grade an answer: right if it is the expected label or one below it."""

from collections.abc import Iterator, Mapping

from classifier.contract.types import SEPARATOR
from classifier.models import Category, Sentiment
from classifier.models.contract import Labels


class Grader:
    """Grades by the current taxonomy: a merged label counts as its successor (two queries).

    Where no label is expected, every answer is right: there is nothing to be wrong about.
    """

    def __init__(self) -> None:
        rows = list(Category.objects.values_list("pk", "parent", "merged_into"))
        self._parents = {pk: parent for pk, parent, _into in rows}
        self._successors = {pk: into for pk, _parent, into in rows if into}
        merged = Sentiment.objects.values_list("pk", "merged_into")
        self._sentiments: dict[int, int] = {pk: into for pk, into in merged if into}

    def category(self, answer: str, expected: int | None, labels: Labels) -> bool:
        """Whether the answered full name, among the offered labels, is the expected category or below it."""
        if expected is None:
            return True
        wanted = _followed(expected, self._successors)
        return any(_followed(pk, self._successors) == wanted for pk in self._line(answer, labels.categories))

    def sentiment(self, answer: str, expected: int | None, labels: Labels) -> bool:
        if expected is None:
            return True
        pk = labels.sentiments.get(answer)
        return pk is not None and _followed(pk, self._sentiments) == _followed(expected, self._sentiments)

    def _line(self, answer: str, offered: Mapping[str, int]) -> Iterator[int]:
        """The answered label and its ancestors in the offered taxonomy, where a draft may have moved it.

        A draft's new label has no key, but its ancestors may. Above the topmost offered label, the current taxonomy's
        ancestors count if they are no longer offered.
        """
        parts = answer.split(SEPARATOR)
        for length in range(len(parts), 0, -1):
            pk = offered.get(SEPARATOR.join(parts[:length]))
            if pk is not None:
                yield pk
        still_offered = set(offered.values())
        above = self._parents.get(offered.get(parts[0], 0))
        while above is not None and above not in still_offered:
            yield above
            above = self._parents.get(above)


def _followed(pk: int, successors: Mapping[int, int]) -> int:
    while pk in successors:
        pk = successors[pk]
    return pk
