"""Agreement and activity of reviewers, for leads. Every query reads a bounded number of rows."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.models import Category
from review.models import Assignment, Decision
from review.models.decision import LABELLED, DecisionQuerySet
from review.stats import agreement, intervals
from review.stats.intervals import Estimate
from review.stats.samples import Sample

Act = Decision.Verdict

DAYS, AGENT_DAYS = 90, 7
DOUBLES, DOUBLES_LOOKED_THROUGH = 2_000, 5_000
"""Tickets with two labels, and decisions on such tickets searched for them."""
LATEST = 2_000
"""Decisions that anchoring and the agents' activity are computed from."""
FEWEST = 20
"""Pairs needed to interpret agreement."""
STRATA = 10
"""Bins of confidence within which reviews with and without a suggestion are compared."""
FEWEST_OF_CATEGORY, MOST_CATEGORIES = 10, 20
BOUNDS = {
    "days": DAYS,
    "agent_days": AGENT_DAYS,
    "doubles": DOUBLES,
    "latest": LATEST,
    "fewest": FEWEST,
    "fewest_of_category": FEWEST_OF_CATEGORY,
}
"""The limits that the page states."""


class DecisionRow(NamedTuple):
    """The fields of a decision that the figures need; `category` and `sentiment` are set only for labels."""

    pk: int
    undoes: int | None
    ticket: int
    assignment: int
    reviewer: int
    created_at: datetime
    verdict: str
    purpose: str
    blind: bool
    batch: UUID | None
    prediction: int | None
    prediction__confidence: float | None
    assignment__group: int
    category: int
    sentiment: int
    seconds: float | None

    @property
    def label(self) -> tuple[int, int]:
        return self.category, self.sentiment


Pair = tuple[DecisionRow, DecisionRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementFigures:
    """Agreement on one axis of the label: raw, and corrected for chance (Krippendorff's alpha)."""

    name: str
    raw: Estimate
    alpha: Estimate

    @property
    def interpretation(self) -> str:
        """The usual interpretation of alpha."""
        figure = self.alpha.estimate
        if self.alpha.n < FEWEST:
            return _("too few pairs to judge")
        if figure is None:
            return _("everyone gave the same label")
        if figure >= agreement.RELIABLE:
            return _("reliable")
        return _("tentative") if figure >= agreement.TENTATIVE else _("unreliable")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryAgreement:
    """Among pairs in which someone chose this category: how often both did, and what it is most confused with."""

    name: str
    both: Estimate
    confused_with: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """How often people agree with equally confident predictions when shown them and when blind, and the difference."""

    shown: Estimate
    blind: Estimate
    gap: Estimate

    @property
    def interpretation(self) -> str:
        if self.gap.low is None or self.gap.high is None:
            return ""
        if self.gap.low > 0:
            return _("Seeing the suggestion makes people agree with it more often.")
        if self.gap.high < 0:
            return _("Seeing the suggestion makes people agree with it less often.")
        return _("These reviews show no clear influence.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentActivity:
    """One person's recent decisions; the shares sum to 1.

    Blind labels are a share of their own: counting them as accepted or corrected could reveal the model's answer.
    """

    name: str
    decisions: int
    seconds: float | None
    accepted: float
    corrected: float
    blind: float
    skipped: float
    escalated: float
    lead_agreed: Estimate
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    pairs: int
    axes: list[AgreementFigures]
    categories: list[CategoryAgreement]
    anchoring: Anchoring
    agents: list[AgentActivity]


def quality_report() -> QualityReport:
    """Compute the figures of the lead's page (five queries)."""
    pairs = _pairs(
        _latest(Decision.objects.filter(purpose=Assignment.Purpose.DOUBLE, assignment__round=1), DOUBLES_LOOKED_THROUGH)
    )
    latest = _latest(Decision.objects.all(), LATEST)
    return QualityReport(
        pairs=len(pairs),
        axes=_agreement(pairs),
        categories=_by_category(pairs),
        anchoring=_anchoring(latest),
        agents=_agents(latest, _lead_agreed(pairs)),
    )


def _latest(decisions: DecisionQuerySet, most: int) -> list[DecisionRow]:
    """The latest decisions; follows an index, so at most `most` rows are read."""
    return [DecisionRow(*row) for row in decisions.order_by("-pk").values_list(*DecisionRow._fields)[:most]]


def _recent(rows: Sequence[DecisionRow], days: int) -> list[DecisionRow]:
    """Decisions of the last days that are not undone; an undo is later, so it is among the rows as well."""
    undone, since = {row.undoes for row in rows}, timezone.now() - timedelta(days=days)
    return [row for row in rows if row.verdict != Act.UNDONE and row.pk not in undone and row.created_at > since]


def _pairs(rows: Sequence[DecisionRow]) -> list[Pair]:
    """Pairs of blind labels, latest ticket first and the later label of each first."""
    by_ticket: dict[int, list[DecisionRow]] = {}
    for row in _recent(rows, DAYS):
        if row.verdict in LABELLED and row.blind:
            by_ticket.setdefault(row.ticket, []).append(row)
    return [(labels[0], labels[1]) for labels in by_ticket.values() if len(labels) == 2][:DOUBLES]


def _agreement(pairs: Sequence[Pair]) -> list[AgreementFigures]:
    parts: list[tuple[str, Callable[[DecisionRow], object]]] = [
        (_("Category"), lambda row: row.category),
        (_("Sentiment"), lambda row: row.sentiment),
        (_("Both"), lambda row: row.label),
    ]
    labels = {name: [(part(first), part(second)) for first, second in pairs] for name, part in parts}
    groups = [first.assignment__group for first, _second in pairs]
    return [
        AgreementFigures(name=name, raw=agreement.raw_agreement(of, groups), alpha=agreement.alpha(of, groups))
        for name, of in labels.items()
    ]


def _by_category(pairs: Sequence[Pair]) -> list[CategoryAgreement]:
    """Agreement by category, lowest first (one query)."""
    counts: dict[int, Counter[int]] = {}
    for first, second in pairs:
        counts.setdefault(first.category, Counter())[second.category] += 1
        if first.category != second.category:
            counts.setdefault(second.category, Counter())[first.category] += 1
    frequent = {pk: others for pk, others in counts.items() if others.total() >= FEWEST_OF_CATEGORY}
    names = Category.objects.paths() if frequent else {}
    categories = [_category_agreement(pk, others, names) for pk, others in frequent.items()]
    return sorted(categories, key=lambda first: (first.both.estimate, first.name))[:MOST_CATEGORIES]


def _category_agreement(pk: int, others: Counter[int], names: dict[int, str]) -> CategoryAgreement:
    """`others` counts the second labels of pairs with this category, itself included."""
    confused = [names[other] for other, _number in others.most_common(2) if other != pk]
    both = intervals.share(others[pk], others.total())
    return CategoryAgreement(name=names[pk], both=both, confused_with=confused[0] if confused else "")


def _anchoring(rows: Sequence[DecisionRow]) -> Anchoring:
    """Compare single reviews whose predictions were equally confident, since reviewers with a suggestion see doubtful
    tickets first (weights of Mantel and Haenszel 1959).

    Bulk decisions are left out, and second reviews of an assignment once blind.
    """
    ever_blind = {row.assignment for row in rows if row.blind}
    strata: dict[int, dict[bool, list[DecisionRow]]] = {}
    for row in _recent(rows, DAYS):
        single = row.purpose == Assignment.Purpose.REVIEW and row.batch is None and row.verdict in LABELLED
        if single and row.prediction__confidence is not None and row.blind == (row.assignment in ever_blind):
            stratum = int(STRATA * row.prediction__confidence)
            strata.setdefault(stratum, {False: [], True: []})[row.blind].append(row)
    comparable = [kinds for kinds in strata.values() if kinds[False] and kinds[True]]
    shown, blind = (_standardized(comparable, blind=kind) for kind in (False, True))
    return Anchoring(shown=shown, blind=blind, gap=intervals.difference(shown, blind))


def _standardized(strata: Sequence[dict[bool, list[DecisionRow]]], *, blind: bool) -> Estimate:
    """The share of reviews of one kind that agree with the model, weighted as if both kinds had the same strata."""
    reviews = [row for kinds in strata for row in kinds[blind]]
    sizes = [len(kinds[False]) + len(kinds[True]) for kinds in strata for _row in kinds[blind]]
    others = [len(kinds[not blind]) for kinds in strata for _row in kinds[blind]]
    # The inverse of each review's weight, which is the other kind's share of its stratum.
    inverse = [size / other for size, other in zip(sizes, others, strict=True)]
    sample = Sample.drawn(inverse, [row.assignment__group for row in reviews])
    return sample.share([row.verdict == Act.ACCEPTED for row in reviews])


def _agents(rows: Sequence[DecisionRow], lead_agreed: dict[int, Estimate]) -> list[AgentActivity]:
    """People with recent decisions, by name (one query)."""
    by_person: dict[int, list[DecisionRow]] = {}
    for row in _recent(rows, AGENT_DAYS):
        by_person.setdefault(row.reviewer, []).append(row)
    names = User.objects.filter(pk__in=by_person).order_by("username").values_list("pk", "username")
    return [_agent(name, by_person[pk], lead_agreed.get(pk, intervals.share(0, 0))) for pk, name in names]


def _agent(name: str, work: Sequence[DecisionRow], lead_agreed: Estimate) -> AgentActivity:
    """`work` is one person's decisions, latest first."""
    kinds = Counter("blind" if row.blind and row.verdict in LABELLED else row.verdict for row in work)
    seconds = [row.seconds for row in work if row.seconds is not None and row.verdict in LABELLED]
    shares = {kind: kinds[kind] / len(work) for kind in ("accepted", "corrected", "blind", "skipped", "escalated")}
    return AgentActivity(
        name=name,
        decisions=len(work),
        seconds=median(seconds) if seconds else None,
        lead_agreed=lead_agreed,
        last_seen=work[0].created_at,
        **shares,
    )


def _lead_agreed(pairs: Sequence[Pair]) -> dict[int, Estimate]:
    """By person, how often a lead chose their label in a disagreement (one query)."""
    disagreements = {first.ticket: (first, second) for first, second in pairs if first.label != second.label}
    adjudications = (
        Decision.objects.effective()
        .labelled()
        .filter(ticket__in=disagreements, purpose=Assignment.Purpose.ADJUDICATION)
    )
    chosen: dict[int, list[bool]] = {}
    for ticket, *label in adjudications.values_list("ticket", "category", "sentiment"):
        for answer in disagreements[ticket]:
            chosen.setdefault(answer.reviewer, []).append(answer.label == tuple(label))
    return {pk: intervals.share(sum(lead_agreed), len(lead_agreed)) for pk, lead_agreed in chosen.items()}
