"""Daily budgets. Money is reserved before it is spent, so parallel workers cannot overspend."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from classifier.contract.prompt import LONGEST_EXAMPLE, LONGEST_TEXT, more_tokens, shorten
from classifier.contract.types import Contract, Usage
from classifier.models import LanguageModel, Spend

_CHARACTERS_PER_TOKEN = 3
_REQUESTS_PER_TICKET = 2
_LONGEST_LABELS = 400
_FIRST_WIDE = "\u2e80"
"""From here on stand the scripts of East Asia, of which models read about one character per token."""

_USUAL_CHARACTERS_PER_TOKEN, _USUAL_ANSWER_TOKENS = 4, 60


class _Reserved(NamedTuple):
    day: date
    amount: Decimal


class BudgetReservation:
    """Money reserved for the texts of one run; what is not spent is returned. `examples` is the number of examples per
    text.
    """

    def __init__(self, language_model: LanguageModel, contract: Contract, *, examples: int = 0) -> None:
        self._language_model, self._budget = language_model, language_model.provider.daily_budget
        self._contract, self._examples = contract, examples
        self._open: deque[_Reserved] = deque()

    def reserve(self, texts: Sequence[str]) -> int:
        """Reserve money for as many of the texts, in order, as today's budget allows. Returns how many."""
        today, amounts = _today(), [Decimal(0)] * len(texts)
        if self._budget is not None:
            amounts = [self._maximum_cost(text) for text in texts]
            amounts = amounts[: self._affordable(amounts, self._budget, today)] if any(amounts) else amounts
        self._open += [_Reserved(today, amount) for amount in amounts]
        return len(amounts)

    def settle(self, costs: Sequence[Decimal]) -> None:
        """Replace the earliest reservations by these costs, on the days on which they were made."""
        differences: dict[date, Decimal] = {}
        for cost in costs:
            reserved = self._open.popleft() if self._open else _Reserved(_today(), Decimal(0))
            differences[reserved.day] = differences.get(reserved.day, Decimal(0)) + cost - reserved.amount
        for day, difference in differences.items():
            if difference:
                row, _created = Spend.objects.get_or_create(provider_id=self._language_model.provider_id, day=day)
                Spend.objects.filter(pk=row.pk).update(cost=F("cost") + difference)

    def close(self) -> None:
        """Return what is still reserved."""
        self.settle([Decimal(0)] * len(self._open))

    @transaction.atomic(durable=True)
    def _affordable(self, amounts: Sequence[Decimal], budget: Decimal, day: date) -> int:
        Spend.objects.get_or_create(provider_id=self._language_model.provider_id, day=day)
        row = Spend.objects.select_for_update().get(provider_id=self._language_model.provider_id, day=day)
        within = [total for total in accumulate(amounts) if row.cost + total <= budget]
        if within:
            Spend.objects.filter(pk=row.pk).update(cost=F("cost") + within[-1])
        return len(within)

    def _maximum_cost(self, text: str) -> Decimal:
        """The maximum cost of one ticket: its text, the longest answer and one repair."""
        read = shorten(text)
        tokens = _tokens(read, _CHARACTERS_PER_TOKEN)
        solved = self._examples * (LONGEST_EXAMPLE + _LONGEST_LABELS) * tokens / max(len(read), 1)
        prompt = tokens + solved + _tokens(self._contract.system_prompt, _CHARACTERS_PER_TOKEN)
        written = (self._language_model.max_tokens or 1_000) + more_tokens(self._contract)
        usage = Usage(requests=1, input_tokens=int(prompt), output_tokens=written)
        return _REQUESTS_PER_TICKET * self._language_model.cost(usage)


def expected_cost(language_model: LanguageModel, prompt_characters: int, texts: Sequence[str]) -> Decimal:
    """The approximate cost of one request for each text, with a prompt of this length."""
    tokens = prompt_characters / _USUAL_CHARACTERS_PER_TOKEN * len(texts)
    tokens += sum(_tokens(text[:LONGEST_TEXT], _USUAL_CHARACTERS_PER_TOKEN) for text in texts)
    usage = Usage(requests=len(texts), input_tokens=int(tokens), output_tokens=_USUAL_ANSWER_TOKENS * len(texts))
    return language_model.cost(usage)


def _tokens(text: str, characters_per_token: float) -> float:
    """About how many tokens a model reads in this text."""
    wide = 0 if text.isascii() else sum(character >= _FIRST_WIDE for character in text)
    return wide + (len(text) - wide) / characters_per_token


def seconds_until_tomorrow() -> float:
    """Seconds until the next UTC day, when budgets start again."""
    now = datetime.now(UTC)
    return (datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds()


def _today() -> date:
    return datetime.now(UTC).date()
