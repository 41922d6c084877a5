"""What the model in front has spared the primary of late: calls, and money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Avg, Count, Q, QuerySet
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.inference import budget, few_shot
from classifier.models import (
    ContractVersion,
    Gate,
    LanguageModel,
    Prediction,
    Ticket,
    Verdict,
)

DAYS = 30
MOST = 100_000
"""The latest verdicts, among which those of these days are counted: the question does not grow with the table."""

LATEST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Of the last DAYS, or of the latest MOST tickets where there were more: how many the model in front has answered.

    `each` is what the primary takes for a ticket: what it took in that time, or else what it would by its prices.
    """

    front: LanguageModel
    primary: LanguageModel
    answered: int
    of: int
    each: Decimal
    measured: bool

    @property
    def money(self) -> Decimal:
        return self.answered * self.each

    @property
    def sentence(self) -> str:
        """What was saved, as pages say it."""
        if not self.of:
            return _("%(model)s stands in front; no ticket came in the last %(days)d days.") % {
                "model": self.front,
                "days": DAYS,
            }
        return _("%(answered)s: %(saved)s saved.") % {"answered": self._answered(), "saved": self._saved()}

    def _answered(self) -> str:
        figures = {"model": self.front, "answered": _number(self.answered), "of": _number(self.of), "days": DAYS}
        if self.of >= MOST:
            return _("%(model)s answered %(answered)s of the latest %(of)s tickets") % figures
        said = ngettext(
            "%(model)s answered %(answered)s of %(of)s ticket in the last %(days)d days",
            "%(model)s answered %(answered)s of %(of)s tickets in the last %(days)d days",
            self.of,
        )
        return said % figures

    def _saved(self) -> str:
        calls = ngettext("%s call", "%s calls", self.answered) % _number(self.answered)
        if not self.money:
            return calls
        money = _number(self.money, 2 if self.money >= Decimal("0.01") else 6)
        return _("%(calls)s and %(money)s") % {"calls": calls, "money": money}

    @property
    def basis(self) -> str:
        """What the money was reckoned by; empty where there is none."""
        if not self.money:
            return ""
        if self.measured:
            return _("Reckoned by what %s took for a ticket in that time.") % self.primary
        return _("Reckoned by the prices of %s, for it has answered none in that time.") % self.primary


def _number(value: int | Decimal, digits: int = 0) -> str:
    return str(number_format(value, digits, force_grouping=True))


def of_late() -> Savings | None:
    """None where no model stands in front (a handful of queries)."""
    gate = Gate.objects.with_models().first()
    if gate is None or gate.front is None:
        return None
    since, primary = timezone.now() - timedelta(days=DAYS), gate.primary_in_charge()
    in_front = Q(accepted=True, epoch__language_model=gate.front)
    numbers = (
        _latest_verdicts()
        .filter(created_at__gte=since)
        .aggregate(of=Count("pk"), answered=Count("pk", filter=in_front))
    )
    taken = _mean_cost(primary, since)
    return Savings(
        front=gate.front,
        primary=primary,
        **numbers,
        each=_expected_cost(primary) if taken is None else taken,
        measured=taken is not None,
    )


def _latest_verdicts() -> QuerySet[Verdict]:
    """Those that stand: one for each ticket."""
    current = Verdict.objects.current()
    floor = current.order_by("-pk").values_list("pk", flat=True)[MOST - 1 : MOST].first()
    return current.filter(pk__gte=floor) if floor else current


def _mean_cost(language_model: LanguageModel, since: datetime) -> Decimal | None:
    """What the model took for a ticket since then, by its latest predictions; none where it made none."""
    latest = Prediction.objects.filter(language_model=language_model).order_by("-pk")[:LATEST]
    costs = [cost for cost, created_at in latest.values_list("cost", "created_at") if created_at >= since]
    return sum(costs, Decimal(0)) / len(costs) if costs else None


def _expected_cost(language_model: LanguageModel) -> Decimal:
    """By its prices, the latest contract, and the length of the latest tickets."""
    prompt = ContractVersion.objects.values_list(Length("system_prompt"), flat=True).first() or 0
    latest = Ticket.objects.order_by("-pk").annotate(length=Length("text"))[:LATEST]
    text = latest.aggregate(average=Avg("length"))["average"] or 0
    return budget.expected(language_model, prompt + int(text) + few_shot.length_of(few_shot.number_for(language_model)))
