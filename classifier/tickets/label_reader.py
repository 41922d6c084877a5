"""Reads labels with their names, as the API and the commands write them."""

from collections.abc import Sequence
from typing import Any

from classifier.models import Category, Prediction
from classifier.tickets.attribute_values import AttributeReader
from classifier.tickets.effective_label import EffectiveLabel
from classifier.tickets.further_categories import FurtherCategories


class LabelReader:
    """Names the labels of some rows (one query, one more if there are further categories, two more if there are
    answers to attributes).
    """

    def __init__(self, rows: Sequence[EffectiveLabel | Prediction]) -> None:
        self._names = Category.objects.paths()
        self._further = FurtherCategories(row.further_categories for row in rows)
        self._attributes = AttributeReader(row.attributes for row in rows)

    def values(self, row: EffectiveLabel | Prediction) -> dict[str, Any]:
        """The row's label by the names of its parts."""
        return {
            "category": self._names[row.category_id],
            "further_categories": self._further.names(row.further_categories, row.category_id),
            "sentiment": row.sentiment.name,
            "attributes": self._attributes.typed(row.attributes),
        }
