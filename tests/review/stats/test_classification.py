"""The figures of classes: by hand, and another's implementation."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support

from review.stats.classification import ClassFigures, MacroF1, by_class, confusion, macro_f1

pytestmark = pytest.mark.once

ITEMS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", "z", None])), min_size=1)
"""Expected classes and answers; z is never expected, and None is a failure."""

Items = list[tuple[str, str | None]]

EXPECTED = ["a"] * 4 + ["b"] * 3 + ["c"]
PREDICTED = ["a", "a", "b", None, "b", "b", "z", "a"]


def columns(items: Items) -> tuple[list[str], list[str | None]]:
    return [expected for expected, _ in items], [answer for _, answer in items]


def spelled(predicted: Sequence[str | None]) -> list[str]:
    """The reference has no word for no answer; any other label is as wrong."""
    return [answer or "none" for answer in predicted]


def test_items_are_counted_by_what_was_expected_and_what_was_answered() -> None:
    counts = confusion(EXPECTED, PREDICTED)
    assert counts == {
        ("a", "a"): 2,
        ("a", "b"): 1,
        ("a", None): 1,
        ("b", "b"): 2,
        ("b", "z"): 1,
        ("c", "a"): 1,
    }
    assert counts["c", "c"] == 0


def test_each_class_has_its_figures() -> None:
    assert by_class(EXPECTED, PREDICTED) == {
        "a": ClassFigures(4, 3, precision=2 / 3, recall=2 / 4, f1=4 / 7),
        "b": ClassFigures(3, 3, precision=2 / 3, recall=2 / 3, f1=4 / 6),
        "c": ClassFigures(1, 0, precision=None, recall=0, f1=0),
        "z": ClassFigures(0, 1, precision=0, recall=None, f1=None),
    }
    assert list(by_class(EXPECTED, PREDICTED)) == ["a", "b", "c", "z"]


def test_macro_f1_covers_classes_with_enough_items() -> None:
    assert macro_f1(EXPECTED, PREDICTED, 3) == MacroF1((4 / 7 + 4 / 6) / 2, 2, ("c",))
    assert macro_f1(EXPECTED, PREDICTED, 4) == MacroF1(4 / 7, 1, ("b", "c"))
    assert macro_f1(EXPECTED, PREDICTED) == MacroF1(None, 0, ("a", "b", "c"))


def test_ten_items_make_a_class_known_and_nine_do_not() -> None:
    assert macro_f1(["a"] * 10 + ["b"] * 9, ["a"] * 10 + ["b"] * 9) == MacroF1(1, 1, ("b",))


def test_an_answer_outside_the_known_classes_counts_only_as_a_miss() -> None:
    outside = macro_f1(["a"] * 10 + ["b"] * 10, ["a"] * 10 + ["b"] * 9 + ["z"])
    failed = macro_f1(["a"] * 10 + ["b"] * 10, ["a"] * 10 + ["b"] * 9 + [None])
    mixed_up = macro_f1(["a"] * 10 + ["b"] * 10, ["a"] * 10 + ["b"] * 9 + ["a"])
    assert outside == failed == MacroF1((1 + 18 / 19) / 2, 2, ())
    assert mixed_up.value == pytest.approx((20 / 21 + 18 / 19) / 2)


def test_an_unknown_class_predicted_as_a_known_one_lowers_its_precision() -> None:
    assert macro_f1(["a"] * 10 + ["b"], ["a"] * 11) == MacroF1(20 / 21, 1, ("b",))


@given(ITEMS)
def test_class_figures_equal_scikit_learn(items: Items) -> None:
    expected, predicted = columns(items)
    for label, figures in by_class(expected, predicted).items():
        scored = precision_recall_fscore_support(expected, spelled(predicted), labels=[label], zero_division=0)
        ours = [figures.precision or 0, figures.recall or 0, figures.f1 or 0, figures.support]
        assert ours == pytest.approx([float(score[0]) for score in scored])


@given(ITEMS, st.integers(1, 10))
def test_macro_f1_equals_scikit_learn(items: Items, least: int) -> None:
    expected, predicted = columns(items)
    known = [label for label in "abc" if expected.count(label) >= least]
    figure = macro_f1(expected, predicted, least)
    assert figure.known == len(known)
    assert set(figure.unknown) == set(expected) - set(known)
    if known:
        scored = f1_score(expected, spelled(predicted), labels=known, average="macro", zero_division=0)
        assert figure.value == pytest.approx(scored)
    else:
        assert figure.value is None


@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(items: Items, chance: random.Random) -> None:
    shuffled = columns(chance.sample(items, len(items)))
    assert by_class(*columns(items)) == by_class(*shuffled)
    assert confusion(*columns(items)) == confusion(*shuffled)


def test_without_items_every_figure_is_unknown() -> None:
    assert confusion([], []) == {}
    assert by_class([], []) == {}
    assert macro_f1([], []) == MacroF1(None, 0, ())


def test_a_single_item_has_figures_whether_right_or_failed() -> None:
    assert by_class(["a"], ["a"]) == {"a": ClassFigures(1, 1, 1, 1, 1)}
    assert by_class(["a"], [None]) == {"a": ClassFigures(1, 0, None, 0, 0)}
    assert macro_f1(["a"], ["a"], 1) == MacroF1(1, 1, ())


def test_a_model_that_always_fails_has_a_macro_f1_of_zero() -> None:
    assert macro_f1(["a", "b"] * 10, [None] * 20) == MacroF1(0, 2, ())


def test_every_item_needs_its_answer() -> None:
    with pytest.raises(ValueError, match="shorter"):
        macro_f1(["a", "b"], ["a"])
