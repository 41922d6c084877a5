"""Each category is certified by a test of its own, with its part of the risk."""

import pytest
from django.contrib.auth.models import User

from classifier.models import Category
from review.certification import bounds, by_category, cycle
from review.certification.by_category import CategoryCertification, CertificationByCategory
from review.certification.sequential_test import risk_for_categories
from review.models import Ledger
from tests.review.certification.auditing import SURE, arrive, audit, open_audits
from tests.review.certification.scenes import begun

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


def ledger() -> Ledger:
    return Ledger.objects.get(closed_at=None)


def answered(person: User, category: str, number: int, *, wrong: int = 0, by: User | None = None) -> None:
    tickets = arrive(*[SURE] * number, category=Category.objects.get(name=category))
    audit(person, open_audits(tickets), wrong=wrong)
    if by:
        audit(by, open_audits(tickets), wrong=wrong)


def certification() -> CertificationByCategory:
    return by_category.certification_by_category(ledger(), ledger().grid[0])


def row(name: str) -> CategoryCertification:
    return next(category for category in certification().rows if category.name == name)


def test_a_category_is_certified_on_its_own_audits_at_its_part_of_the_risk(ana: User) -> None:
    begun()
    number = Category.objects.active().count()
    fewest = bounds.min_clean_audits(ledger().error, risk_for_categories(0.05, 0) / number)
    answered(ana, "Billing", 60)
    answered(ana, "Technical", fewest - 1)
    cycle.run_certification()
    assert (row("Billing").certified, row("Billing").audits, row("Billing").errors) == (True, 60, 0)
    assert (row("Technical").certified, row("Technical").audits) == (False, fewest - 1)
    assert (certification().certified, certification().categories, certification().fewest) == (1, number, fewest)


def test_a_category_shows_how_many_clean_audits_it_needs(ana: User) -> None:
    begun()
    answered(ana, "Billing", 5)
    needed = row("Billing").needed
    assert needed is not None
    assert row("Technical").needed == needed + 5
    answered(ana, "Billing", needed)
    assert row("Billing").certified
    assert row("Billing").needed is None


def test_errors_in_one_category_do_not_affect_another(ana: User, ben: User) -> None:
    begun()
    answered(ana, "Billing", 60)
    answered(ana, "Technical", 30, wrong=30, by=ben)
    answered(ana, "Technical", 30)
    assert row("Billing").certified
    assert not row("Technical").certified
    assert row("Technical").errors == 30
    assert row("Technical").wrong.estimate == pytest.approx(0.5)


def test_pending_audits_do_not_revoke_a_certified_category(ana: User) -> None:
    begun()
    answered(ana, "Billing", 40)
    certified_before = row("Billing").certified
    arrive(*[SURE] * 40, category=Category.objects.get(name="Billing"))
    assert row("Billing").audits == 40
    # What was reached stays reached; what was not is held off by each audit that waits.
    assert row("Billing").certified == certified_before


def test_categories_with_most_audits_come_first_and_the_rest_are_counted(
    ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_category, "MAX_SHOWN", 2)
    begun()
    answered(ana, "Technical", 3)
    answered(ana, "Billing", 2)
    assert [category.name for category in certification().rows] == ["Technical", "Billing"]
    assert certification().left_out == Category.objects.active().count() - 2
