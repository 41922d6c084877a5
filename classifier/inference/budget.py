"""What providers may cost in a day. Money is reserved before it is spent, so that many workers cannot overspend."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from classifier.contract.prompt import LONGEST_SOLVED, LONGEST_TEXT
from classifier.contract.types import Contract, Usage
from classifier.models import LanguageModel, Spend

_CHARACTERS_PER_TOKEN = 3
_REQUESTS_PER_TICKET = 2
_LONGEST_LABELS = 400

_USUAL_CHARACTERS_PER_TOKEN, _USUAL_ANSWER_TOKENS = 4, 60


class Reservation:
    """Money set aside for up to `tickets` of them; whatever is not spent goes back with `settle`."""

    def __init__(self, language_model: LanguageModel, tickets: int, cost: Decimal) -> None:
        self.language_model = language_model
        self.tickets = tickets
        self._reserved = cost

    def settle(self, spent: Decimal) -> None:
        """Book what was spent in place of what was reserved."""
        if spent != self._reserved:
            row, _created = Spend.objects.get_or_create(provider_id=self.language_model.provider_id, day=_today())
            Spend.objects.filter(pk=row.pk).update(cost=F("cost") + spent - self._reserved)


def expected(language_model: LanguageModel, characters: int) -> Decimal:
    """About what one request costs by the prices, with a prompt so long."""
    tokens = characters // _USUAL_CHARACTERS_PER_TOKEN
    return language_model.cost(Usage(requests=1, input_tokens=tokens, output_tokens=_USUAL_ANSWER_TOKENS))


def reserve(language_model: LanguageModel, contract: Contract, tickets: int, *, examples: int = 0) -> Reservation:
    """Set money aside for as many of the tickets as the provider's daily budget still allows.

    `examples` are the solved tickets that go along with each.
    """
    budget, each = language_model.provider.daily_budget, _most(language_model, contract, examples)
    if budget is None or not each:
        return Reservation(language_model, tickets, Decimal(0))
    return _set_aside(language_model, tickets, budget, each)


@transaction.atomic(durable=True)
def _set_aside(language_model: LanguageModel, tickets: int, budget: Decimal, each: Decimal) -> Reservation:
    Spend.objects.get_or_create(provider_id=language_model.provider_id, day=_today())
    row = Spend.objects.select_for_update().get(provider_id=language_model.provider_id, day=_today())
    affordable = min(tickets, max(int((budget - row.cost) / each), 0))
    Spend.objects.filter(pk=row.pk).update(cost=F("cost") + affordable * each)
    return Reservation(language_model, affordable, affordable * each)


def until_tomorrow() -> float:
    """Seconds until the budgets of the next UTC day."""
    now = datetime.now(UTC)
    return (datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds()


def _most(language_model: LanguageModel, contract: Contract, examples: int) -> Decimal:
    """What one ticket can cost at the most: the longest text, the longest answer, and a repair."""
    solved = examples * (LONGEST_SOLVED + _LONGEST_LABELS)
    prompt_tokens = (len(contract.system_prompt) + solved + LONGEST_TEXT) // _CHARACTERS_PER_TOKEN
    return _REQUESTS_PER_TICKET * language_model.cost(
        Usage(requests=1, input_tokens=prompt_tokens, output_tokens=language_model.max_tokens or 1_000)
    )


def _today() -> date:
    return datetime.now(UTC).date()
