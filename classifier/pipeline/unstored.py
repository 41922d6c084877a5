"""Texts that are no tickets go through the same cascade, and nothing of them is stored."""

from collections.abc import Iterator, Sequence

from classifier.models import (
    ContractVersion,
    Epoch,
    Gate,
    LanguageModel,
    Prediction,
    Score,
    Scorer,
    Sentiment,
    Ticket,
    Verdict,
)
from classifier.pipeline import gate, predict, scoring
from classifier.pipeline.cascade import Cascade
from classifier.pipeline.gate import ScoredOutcome
from classifier.pipeline.predict import PredictionOutcome, TicketOutcome


def classify_texts(texts: Sequence[str], settings: Gate, version: ContractVersion) -> list[Verdict]:
    """One verdict a text, in order, none of them stored. Each model is asked about the whole sequence at once, so give
    it in batches.

    Whether it would pass is told as things stand; of a text that is no ticket nothing is audited.
    """
    # Keys that no stored ticket has.
    tickets = [Ticket(pk=-place, text=text) for place, text in enumerate(texts, start=1)]
    sink = MemorySink(version)
    Cascade(settings, version, sink).run(tickets)
    return [sink.verdicts[ticket.pk] for ticket in tickets]


class MemorySink:
    """Verdicts by ticket; neither they nor what led to them is stored."""

    def __init__(self, version: ContractVersion) -> None:
        self.verdicts: dict[int, Verdict] = {}
        self._sentiments = {pk: Sentiment(pk=pk, name=name) for name, pk in version.labels.sentiments.items()}

    def label(
        self, tickets: Sequence[Ticket], language_model: LanguageModel, version: ContractVersion
    ) -> Iterator[list[TicketOutcome]]:
        for group in predict.predict_unstored(tickets, language_model, version):
            for _ticket, outcome in group:
                if isinstance(outcome, Prediction):
                    outcome.sentiment = self._sentiments[outcome.sentiment_id]
            yield group

    def postpones(self, labelled: TicketOutcome) -> bool:
        return False

    def score(self, labelled: Sequence[TicketOutcome], scorer: Scorer, version: ContractVersion) -> dict[int, Score]:
        return scoring.unstored_scores(labelled, scorer, version)

    def is_for_audit(self, epoch: Epoch, weighed: ScoredOutcome) -> bool:
        return False

    def conclude(self, epoch: Epoch, weighed: Sequence[ScoredOutcome], seconds: dict[int, PredictionOutcome]) -> None:
        self.verdicts |= {one.ticket.pk: gate.decide(epoch, one, seconds.get(one.ticket.pk)) for one in weighed}
