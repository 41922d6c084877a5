"""How many errors people overlook: what second looks prove, and that the error limit follows."""

import numpy as np
import pytest
from django.contrib.auth.models import User

from classifier.models import Criterion
from review.certification import cycle, second_looks
from review.certification.missed_share import REPEATED, SecondLooks, missed_by_audits
from review.models import AccuracyTarget, Audit, Ledger
from tests.factories import make_user
from tests.review.certification.auditing import ENOUGH, SURE, arrive, audit, certify, make_grid, open_audits

ASSUMED = 0.1


def most_missed(looks: list[bool]) -> float:
    second = SecondLooks.start(0.0025)
    second.add(looks)
    return second.most_missed(ASSUMED)


@pytest.mark.once
def test_the_assumption_holds_until_second_looks_prove_that_people_overlook_less() -> None:
    proven = [most_missed([False] * looks) for looks in (0, 50, 100, 200, 400, 800)]
    assert proven[:2] == [ASSUMED, ASSUMED]
    assert proven == sorted(proven, reverse=True)
    assert proven[-1] == missed_by_audits(REPEATED[-1])


@pytest.mark.once
def test_second_looks_never_make_the_assumption_larger() -> None:
    assert most_missed([True] * 200) == ASSUMED


@pytest.mark.once
@pytest.mark.parametrize("own", [0.02, 0.05, 0.09])
def test_what_is_proven_is_hardly_ever_less_than_what_people_overlook(own: float) -> None:
    """Looking after every error, with reviewers who each make the model's error with this probability."""
    random = np.random.default_rng(3)
    overlooked, false = own + (1 - own) * own**2, 0
    for _stream in range(100):
        first, second, third = random.random((3, 600)) < own
        settled = ~first & (~second | ~third)
        false += most_missed(second[settled].tolist()) < min(overlooked, ASSUMED)
    assert false <= 2


@pytest.mark.once
@pytest.mark.parametrize("own", [0.01, 0.1, 0.3])
def test_audits_miss_what_the_first_person_overlooks_or_the_second_and_the_lead(own: float) -> None:
    repeated = own * (1 - own) / (1 - own**2)
    assert missed_by_audits(repeated) == pytest.approx(own + (1 - own) * own**2)


def found_twice(ana: User, other: User, errors: int, *, repeated: int = 0) -> None:
    """Audits in which the first person finds an error, and the second one makes the model's error in some."""
    audit(ana, open_audits(arrive(*[SURE] * errors)), wrong=errors)
    second = open_audits()
    assert len(second) == errors
    audit(other, second, wrong=errors - repeated)


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue")
def test_second_people_who_find_the_error_too_are_counted(ana: User) -> None:
    certify(missed_share=ASSUMED)
    make_grid()
    found_twice(ana, make_user("ben"), 4)
    audit(ana, open_audits(arrive(*[SURE] * 3)))
    assert second_looks.repeated_errors(Criterion.BOTH) == [False] * 4


@pytest.mark.django_db
@pytest.mark.usefixtures("catalogue")
def test_the_ledger_is_counted_anew_once_people_prove_to_overlook_less(
    ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify(missed_share=ASSUMED)
    make_grid()
    audit(ana, open_audits(arrive(*[SURE] * ENOUGH)))
    cycle.run_certification()
    ledger = Ledger.objects.get()
    assert ledger.error == pytest.approx(0.2 * 0.9)
    assert ledger.most_missed_percent == pytest.approx(10)
    monkeypatch.setattr(second_looks, "repeated_errors", lambda _about: [False] * 400)
    cycle.run_certification()
    ledger.refresh_from_db()
    assert ledger.error == pytest.approx(0.2 * (1 - missed_by_audits(0.02)))
    assert Ledger.objects.count() == 1
    assert AccuracyTarget.current().claims == 1
    assert Audit.objects.judged().count() == ENOUGH
