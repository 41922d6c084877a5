"""Names the further categories that rows store by primary key."""

from collections.abc import Iterable, Sequence

from classifier.models import Category

Stored = Sequence[int]


class FurtherCategories:
    """Names those of some rows (one query, or none where no row has any). A merged category reads as its successor."""

    def __init__(self, rows: Iterable[Stored]) -> None:
        wanted = {pk for row in rows for pk in row}
        categories = Category.objects.filter(pk__in=wanted).select_related("merged_into") if wanted else ()
        self._categories = {category.pk: category.merged_into or category for category in categories}

    def names(self, row: Stored, main: int | None = None) -> list[str]:
        """The row's full names, without its main category, into which others may have been merged."""
        named = {self._categories[pk].pk: self._categories[pk].full_name for pk in row if pk in self._categories}
        return [name for pk, name in named.items() if pk != main]
