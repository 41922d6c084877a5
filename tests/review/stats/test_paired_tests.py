"""Comparisons of models agree with published examples and reference packages, and intervals cover the truth."""

from itertools import product
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from review.stats.classification import macro_f1
from review.stats.intervals import Estimate, share
from review.stats.paired_tests import (
    Comparison,
    Verdict,
    bootstrap_macro_f1,
    compare,
    compare_all,
    holm,
    indistinguishable_from_best,
    items_needed,
    mcnemar,
    paired_difference,
)

pytestmark = pytest.mark.once

COUNTS = st.integers(0, 60)
ITEMS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)

Labels = list[str]
Ints = npt.NDArray[np.int64]


def interval(figure: Estimate) -> list[float]:
    assert figure.low is not None
    assert figure.high is not None
    return [figure.low, figure.high]


def flags(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[bool], list[bool]]:
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second


# Published examples


@pytest.mark.parametrize(
    ("only_first", "only_second", "published"), [(6, 16, 0.052479), (1, 7, 0.0703), (5, 0, 0.0625)]
)
def test_p_equals_published_examples(only_first: int, only_second: int, published: float) -> None:
    """The first two are in Fagerland, Lydersen and Laake (2017), "Statistical analysis of contingency tables"."""
    assert mcnemar(only_first, only_second) == pytest.approx(published, abs=0.00005)


@pytest.mark.parametrize(
    ("counts", "published"), [((59, 6, 16, 80), [-0.1186, -0.0046]), ((1, 1, 7, 12), [-0.507, -0.026])]
)
def test_differences_have_newcombes_paired_interval(counts: tuple[int, int, int, int], published: list[float]) -> None:
    """As Fagerland, Lydersen and Laake have them, chapter 8."""
    figure = paired_difference(*counts)
    assert figure.n == sum(counts)
    assert figure.estimate == pytest.approx((counts[1] - counts[2]) / sum(counts))
    assert interval(figure) == pytest.approx(published, abs=0.0005)


def test_several_p_are_adjusted_by_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(("n", "ends"), [(100, [0.826, 0.945]), (200, [0.851, 0.934]), (1000, [0.880, 0.917])])
def test_an_accuracy_of_90_percent_has_the_published_interval(n: int, ends: list[float]) -> None:
    assert interval(share(n * 9 // 10, n)) == pytest.approx(ends, abs=0.0006)


# Another's implementation, and definitions


@given(COUNTS, COUNTS)
def test_p_equals_statsmodels(only_first: int, only_second: int) -> None:
    theirs = their_mcnemar([[9, only_first], [only_second, 9]], exact=True).pvalue
    assert mcnemar(only_first, only_second) == pytest.approx(theirs)
    assert mcnemar(only_first, only_second) == mcnemar(only_second, only_first)


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(20_000, 20_500), (31_000, 30_000), (50_000, 50_000), (10, 900), (0, 1_000)]
)
def test_p_of_many_items_equals_the_binomial_test(only_first: int, only_second: int) -> None:
    theirs = binomtest(only_first, only_first + only_second).pvalue
    assert mcnemar(only_first, only_second) == pytest.approx(theirs, rel=1e-8, abs=0)


def test_p_too_small_for_a_float_is_zero() -> None:
    assert mcnemar(0, 50_000) == 0


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_equal_statsmodels(p_values: list[float]) -> None:
    ours = holm(p_values)
    assert ours == pytest.approx(list(multipletests(p_values, method="holm")[1]))
    assert all(p <= adjusted <= 1 for p, adjusted in zip(p_values, ours, strict=True))


def newcombe(both: int, only_first: int, only_second: int, neither: int) -> list[float]:
    """Method 10 as the paper states it: of the ends of Wilson's intervals, and phi of a numerator drawn towards 0."""
    n = both + only_first + only_second + neither
    p1, p2 = (both + only_first) / n, (both + only_second) / n
    (l1, u1), (l2, u2) = (proportion_confint(round(p * n), n, method="wilson") for p in (p1, p2))
    sums = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    product_difference = both * neither - only_first * only_second
    numerator = product_difference if product_difference <= 0 else max(product_difference - n / 2, 0)
    phi = numerator / sqrt(sums) if sums else 0
    delta = sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    epsilon = sqrt((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)
    return [p1 - p2 - delta, p1 - p2 + epsilon]


@given(COUNTS, COUNTS, COUNTS, st.integers(1, 60))
def test_the_interval_of_a_difference_equals_newcombes_formula(
    both: int, only_first: int, only_second: int, neither: int
) -> None:
    figure = paired_difference(both, only_first, only_second, neither)
    low, high = interval(figure)
    assert [low, high] == pytest.approx(newcombe(both, only_first, only_second, neither), abs=1e-9)
    assert -1 <= low <= (only_first - only_second) / figure.n <= high <= 1
    turned = paired_difference(both, only_second, only_first, neither)
    assert interval(turned) == pytest.approx([-high, -low], abs=1e-9)


@pytest.mark.parametrize("n", [30, 150])
@pytest.mark.parametrize("shares", [(0.8, 0.08, 0.04, 0.08), (0.5, 0.2, 0.1, 0.2), (0.9, 0.05, 0.05, 0.0)])
def test_intervals_cover_the_truth_as_often_as_stated(n: int, shares: tuple[float, ...]) -> None:
    times = 1_000
    samples = np.random.default_rng(5).multinomial(n, shares, size=times).tolist()
    ends = [interval(paired_difference(*sample)) for sample in samples]
    assert sum(low <= shares[1] - shares[2] <= high for low, high in ends) / times > 0.93


# How many items it takes


def power(n: int, discordant: float, difference: float) -> float:
    """How often McNemar's exact test at 5% tells two models apart on n items, summed over all that may happen."""
    differing = np.arange(n + 1)
    limit = binom.ppf(0.025, differing, 0.5)
    limit -= binom.cdf(limit, differing, 0.5) > 0.025
    p = (1 + difference / discordant) / 2
    detected = binom.cdf(limit, differing, p) + binom.cdf(limit, differing, 1 - p)
    return float((binom.pmf(differing, n, discordant) * detected).sum())


@pytest.mark.parametrize(("discordant", "difference"), list(product([6, 10, 20, 40], [5, 3, 2])))
def test_the_items_needed_give_the_exact_test_its_power(discordant: int, difference: int) -> None:
    """Of percent that differ and percent of difference: within 3% of the number that gives a power of 80%."""
    figure = items_needed(500 * (discordant + difference), 500 * (discordant - difference), 100_000)
    assert figure is not None
    assert power(int(figure * 0.97), discordant / 100, difference / 100) < 0.8
    assert power(int(figure * 1.03) + 1, discordant / 100, difference / 100) > 0.8


def test_the_items_needed_grow_with_power_and_with_a_stricter_level() -> None:
    figures = [
        items_needed(20, 10, 200),
        items_needed(20, 10, 200, power=0.9),
        items_needed(20, 10, 200, power=0.9, alpha=0.01),
    ]
    assert figures == sorted(figures, key=lambda figure: figure or 0)
    assert len(set(figures)) == 3
    assert items_needed(10, 20, 200) == figures[0]


def test_no_number_of_items_is_enough_without_a_difference() -> None:
    assert items_needed(0, 0, 0) is None
    assert items_needed(0, 0, 50) is None
    assert items_needed(7, 7, 50) is None


def test_six_items_are_enough_if_all_of_them_differ() -> None:
    assert items_needed(50, 0, 50) == 6
    assert mcnemar(6, 0) < 0.05 < mcnemar(5, 0)


# Verdicts


def test_two_models_are_compared_item_by_item() -> None:
    first, second = flags(70, 20, 4, 6)
    assert compare(first, second) == Comparison(
        n=100,
        only_first=20,
        only_second=4,
        p=mcnemar(20, 4),
        adjusted=mcnemar(20, 4),
        difference=paired_difference(70, 20, 4, 6),
        items_needed=items_needed(20, 4, 100),
    )
    assert compare(first, second).verdict is Verdict.BETTER
    assert compare(second, first).verdict is Verdict.WORSE
    assert str(compare(first, first).verdict) == "cannot be told apart"


@given(ITEMS)
def test_swapping_the_models_reverses_the_comparison(items: list[tuple[bool, bool]]) -> None:
    first, second = [first_right for first_right, _ in items], [second_right for _, second_right in items]
    figure, turned = compare(first, second), compare(second, first)
    assert (figure.n, figure.p, figure.items_needed) == (turned.n, turned.p, turned.items_needed)
    assert (figure.only_first, figure.only_second) == (turned.only_second, turned.only_first)
    turn = {
        Verdict.BETTER: Verdict.WORSE,
        Verdict.WORSE: Verdict.BETTER,
        Verdict.INDISTINGUISHABLE: Verdict.INDISTINGUISHABLE,
    }
    assert turned.verdict is turn[figure.verdict]


def test_several_comparisons_take_more_evidence_each() -> None:
    first, second = flags(80, 9, 1, 10)
    alone = compare(first, second)
    assert alone.verdict is Verdict.BETTER
    # Two that are alike add two comparisons.
    among = compare_all({"one": first, "other": second, "same": first})
    assert list(among) == [("one", "other"), ("one", "same"), ("other", "same")]
    assert among["one", "other"].p == alone.p == among["other", "same"].p
    assert among["one", "other"].adjusted == pytest.approx(alone.p * 3)
    assert among["one", "other"].verdict is among["other", "same"].verdict is Verdict.INDISTINGUISHABLE


def test_the_verdict_is_by_the_adjusted_p() -> None:
    figure = Comparison(10, 9, 1, 0.01, 0.05, Estimate(0.8, 0.2, 1.0, 10), None)
    assert figure.verdict is Verdict.BETTER
    above = Comparison(10, 9, 1, 0.01, 0.0501, Estimate(0.8, 0.2, 1.0, 10), None)
    assert above.verdict is Verdict.INDISTINGUISHABLE


def accuracies(right: dict[str, list[bool]]) -> dict[str, float]:
    return {model: sum(flags) / len(flags) for model, flags in right.items()}


def test_the_best_models_are_those_indistinguishable_from_the_most_accurate() -> None:
    right = {
        "best": [True] * 90 + [False] * 10,
        "near": [True] * 87 + [False] * 13,
        "far": [True] * 40 + [False] * 60,
    }
    assert indistinguishable_from_best(accuracies(right), compare_all(right)) == {"best", "near"}
    turned = dict(reversed(right.items()))
    assert indistinguishable_from_best(accuracies(turned), compare_all(turned)) == {"best", "near"}


def test_being_distinguishable_from_a_weaker_model_does_not_matter() -> None:
    best, second = flags(60, 24, 16, 0)
    # Right wherever `other` is and a few times more, but with no more in common with the best.
    more = [right or at in (60, 61, 62, 63, 64, 65, 66) for at, right in enumerate(second)]
    right = {"best": best, "other": second, "more": more}
    figures = compare_all(right)
    assert figures["other", "more"].verdict is Verdict.WORSE
    assert indistinguishable_from_best(accuracies(right), figures) == {"best", "other", "more"}


def test_a_single_model_is_the_best_and_without_models_there_is_none() -> None:
    assert indistinguishable_from_best({}, {}) == set()
    assert indistinguishable_from_best({"a": 0.5}, compare_all({"a": [True, False]})) == {"a"}
    assert indistinguishable_from_best({"a": 0.5, "b": 0.5}, compare_all({"a": [True], "b": [True]})) == {"a", "b"}


def test_without_items_models_are_indistinguishable() -> None:
    figure = compare([], [])
    assert figure == Comparison(0, 0, 0, 1, 1, Estimate(None, None, None, 0), None)
    assert figure.verdict is Verdict.INDISTINGUISHABLE
    assert compare_all({}) == {}
    assert holm([]) == []


def test_on_one_item_models_are_indistinguishable() -> None:
    figure = compare([True], [False])
    assert (figure.p, figure.verdict, figure.difference.estimate) == (1, Verdict.INDISTINGUISHABLE, 1)
    assert interval(figure.difference)[0] < 0


def test_models_need_the_same_number_of_items() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare([True, False], [True])


# The difference of macro-F1


def answers(expected: Ints, right: float, classes: int, chance: np.random.Generator) -> Labels:
    guesses = chance.integers(0, classes, len(expected))
    return [f"c{label}" for label in np.where(chance.random(len(expected)) < right, expected, guesses)]


def sample(n: int, classes: int, right: tuple[float, float]) -> tuple[Labels, Labels, Labels]:
    chance = np.random.default_rng(7)
    expected = chance.integers(0, classes, n)
    first, second = (answers(expected, share_right, classes, chance) for share_right in right)
    return [f"c{label}" for label in expected], first, second


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=60), st.integers(1, 12))
def test_the_bootstrap_estimates_the_difference_of_both_macro_f1(items: list[tuple[str, str, str]], least: int) -> None:
    expected, first, second = (list(column) for column in zip(*items, strict=True))
    figure = bootstrap_macro_f1(expected, first, second, resamples=50, least=least)
    first_f1, second_f1 = macro_f1(expected, first, least).value, macro_f1(expected, second, least).value
    assert figure.n == len(items)
    if first_f1 is None or second_f1 is None:
        assert figure == Estimate(None, None, None, len(items))
    else:
        assert figure.estimate == pytest.approx(first_f1 - second_f1)


def test_the_interval_equals_a_bootstrap_over_items() -> None:
    """The bootstrap as described: draw items with replacement, and compute their F1 with the reference package."""
    expected, first, second = (np.array(column) for column in sample(150, 3, (0.85, 0.7)))
    draws = np.random.default_rng(3).integers(0, 150, (250, 150))
    labels = ["c0", "c1", "c2"]
    resampled = [
        f1_score(expected[draw], first[draw], labels=labels, average="macro", zero_division=0)
        - f1_score(expected[draw], second[draw], labels=labels, average="macro", zero_division=0)
        for draw in draws
    ]
    figure = bootstrap_macro_f1(expected.tolist(), first.tolist(), second.tolist())
    assert interval(figure) == pytest.approx(list(np.quantile(resampled, [0.025, 0.975])), abs=0.02)


def test_the_interval_takes_pairing_into_account() -> None:
    """Models that err on the same items are told apart by fewer items than their own intervals would take."""
    expected, first, _ = sample(300, 3, (0.7, 0.7))
    second = [wanted if at % 12 == 0 else given for at, (wanted, given) in enumerate(zip(expected, first, strict=True))]
    low, high = interval(bootstrap_macro_f1(expected, first, second))
    assert high < 0
    assert high - low < 0.05


def test_the_interval_is_reproducible_and_independent_of_order() -> None:
    expected, first, second = sample(200, 4, (0.8, 0.7))
    order = np.random.default_rng(2).permutation(200)
    shuffled_first, shuffled_second, third = ([column[at] for at in order] for column in (expected, first, second))
    figure = bootstrap_macro_f1(expected, first, second)
    assert (
        figure
        == bootstrap_macro_f1(expected, first, second)
        == bootstrap_macro_f1(shuffled_first, shuffled_second, third)
    )
    assert figure != bootstrap_macro_f1(expected, first, second, seed=2)


def test_swapping_the_models_reverses_the_interval() -> None:
    expected, first, second = sample(400, 4, (0.8, 0.7))
    low, high = interval(bootstrap_macro_f1(expected, first, second))
    assert interval(bootstrap_macro_f1(expected, second, first)) == pytest.approx([-high, -low], abs=0.01)


def test_models_that_always_agree_have_no_interval() -> None:
    expected, first, _ = sample(100, 2, (0.8, 0.7))
    assert bootstrap_macro_f1(expected, first, first) == Estimate(0, None, None, 100)


def test_failures_and_unknown_answers_are_misses() -> None:
    expected = ["a", "b"] * 20
    figure = bootstrap_macro_f1(expected, [None] * 40, ["z"] * 40)
    assert figure == Estimate(0, None, None, 40)
    assert bootstrap_macro_f1(expected, expected, [None] * 40).estimate == 1


def test_without_a_known_class_the_difference_is_unknown() -> None:
    assert bootstrap_macro_f1([], [], []) == Estimate(None, None, None, 0)
    assert bootstrap_macro_f1(["a"] * 9, ["a"] * 9, ["b"] * 9) == Estimate(None, None, None, 9)


@pytest.mark.parametrize("resamples", [1, 250, 251, 600])
def test_any_number_of_resamples_will_do(resamples: int) -> None:
    expected, first, second = sample(100, 2, (0.8, 0.6))
    assert bootstrap_macro_f1(expected, first, second, resamples=resamples).n == 100
