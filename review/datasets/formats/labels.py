"""Number labels as scikit-learn, cleanlab and `datasets.ClassLabel` do, and name sides as splits. Pure."""

from collections.abc import Iterable, Mapping

from review.datasets.record import LabelInfo, Manifest

SPLITS = {"training": "train", "benchmark": "test"}


def category_names(manifest: Manifest) -> list[str]:
    """All categories in the order of their numbers: the taxonomy's, then those it no longer has, by name."""
    return _names(manifest.taxonomy[0], manifest.categories)


def sentiment_names(manifest: Manifest) -> list[str]:
    """All sentiments in the order of their numbers, likewise."""
    return _names(manifest.taxonomy[1], manifest.sentiments)


def label_numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _names(taxonomy: Iterable[LabelInfo], counted: Mapping[str, int]) -> list[str]:
    known = dict.fromkeys(label.name for label in taxonomy)
    return [*known, *sorted(counted.keys() - known.keys())]
