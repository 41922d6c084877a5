"""Labels by number, as scikit-learn, cleanlab and `datasets.ClassLabel` count them; sides as others call them. Pure."""

from collections.abc import Iterable, Mapping

from review.datasets.record import LabelInfo, Manifest

SPLITS = {"training": "train", "benchmark": "test"}


def category_names(manifest: Manifest) -> list[str]:
    """Every category by its number: the taxonomy in its order, then those it no longer has, by name."""
    return _names(manifest.taxonomy[0], manifest.categories)


def sentiment_names(manifest: Manifest) -> list[str]:
    """Every sentiment by its number, in the same way."""
    return _names(manifest.taxonomy[1], manifest.sentiments)


def label_numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _names(taxonomy: Iterable[LabelInfo], counted: Mapping[str, int]) -> list[str]:
    known = dict.fromkeys(label.name for label in taxonomy)
    return [*known, *sorted(counted.keys() - known.keys())]
