"""Daily budgets. Money is reserved before it is spent, so parallel workers cannot overspend."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from classifier.contract.prompt import LONGEST_EXAMPLE, LONGEST_TEXT
from classifier.contract.types import Contract, Usage
from classifier.models import LanguageModel, Spend

_CHARACTERS_PER_TOKEN = 3
_REQUESTS_PER_TICKET = 2
_LONGEST_LABELS = 400

_USUAL_CHARACTERS_PER_TOKEN, _USUAL_ANSWER_TOKENS = 4, 60


class BudgetReservation:
    """Money reserved for the texts of one run; what is not spent is returned. `examples` is the number of examples per
    text.
    """

    def __init__(self, language_model: LanguageModel, contract: Contract, *, examples: int = 0) -> None:
        self._language_model, self._budget = language_model, language_model.provider.daily_budget
        self._each = Decimal(0) if self._budget is None else _maximum_cost(language_model, contract, examples)
        self._open = 0

    def reserve(self, texts: int) -> int:
        """Reserve money for as many of the texts as today's budget allows. Returns how many."""
        if self._budget is not None and self._each:
            texts = self._affordable(texts, self._budget)
        self._open += texts
        return texts

    def settle(self, costs: Sequence[Decimal]) -> None:
        """Replace the reservations of these texts with their actual costs."""
        settled = min(len(costs), self._open)
        self._open -= settled
        self._add_to_spend(sum(costs, Decimal(0)) - settled * self._each)

    def close(self) -> None:
        """Return what is still reserved."""
        self.settle([Decimal(0)] * self._open)

    @transaction.atomic(durable=True)
    def _affordable(self, texts: int, budget: Decimal) -> int:
        Spend.objects.get_or_create(provider_id=self._language_model.provider_id, day=_today())
        row = Spend.objects.select_for_update().get(provider_id=self._language_model.provider_id, day=_today())
        affordable = min(texts, max(int((budget - row.cost) / self._each), 0))
        Spend.objects.filter(pk=row.pk).update(cost=F("cost") + affordable * self._each)
        return affordable

    def _add_to_spend(self, difference: Decimal) -> None:
        if difference:
            row, _created = Spend.objects.get_or_create(provider_id=self._language_model.provider_id, day=_today())
            Spend.objects.filter(pk=row.pk).update(cost=F("cost") + difference)


def expected_cost(language_model: LanguageModel, characters: int) -> Decimal:
    """The approximate cost of one request with a prompt of this length."""
    tokens = characters // _USUAL_CHARACTERS_PER_TOKEN
    return language_model.cost(Usage(requests=1, input_tokens=tokens, output_tokens=_USUAL_ANSWER_TOKENS))


def seconds_until_tomorrow() -> float:
    """Seconds until the next UTC day, when budgets start again."""
    now = datetime.now(UTC)
    return (datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds()


def _maximum_cost(language_model: LanguageModel, contract: Contract, examples: int) -> Decimal:
    """The maximum cost of one ticket: longest text, longest answer and one repair."""
    solved = examples * (LONGEST_EXAMPLE + _LONGEST_LABELS)
    prompt_tokens = (len(contract.system_prompt) + solved + LONGEST_TEXT) // _CHARACTERS_PER_TOKEN
    return _REQUESTS_PER_TICKET * language_model.cost(
        Usage(requests=1, input_tokens=prompt_tokens, output_tokens=language_model.max_tokens or 1_000)
    )


def _today() -> date:
    return datetime.now(UTC).date()
