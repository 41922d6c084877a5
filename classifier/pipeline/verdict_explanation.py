"""Explains why the gate auto-accepted a ticket or sent it to review."""

import math
from dataclasses import dataclass
from itertools import chain

from django.dispatch import Signal
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from classifier.models import AuditDraw, Criterion, GateMode, Score, Ticket, Verdict
from classifier.scoring.signals import AxisSignals, Signals

explanation_requested = Signal()
"""Sent when an auto-accepted `verdict` is explained; receivers return sentences on its certificate."""

DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictExplanation:
    """`facts` are pairs of name and value; `signals` and `certificates` are sentences."""

    heading: str
    facts: list[tuple[str, str]]
    signals: list[str]
    certificates: list[str]


def explain_verdict(ticket: Ticket) -> VerdictExplanation | None:
    """Explain the current verdict. None without a verdict or prediction, and for a sealed ticket.

    One query, plus those of receivers of `explanation_requested`.
    """
    if ticket.sealed or ticket.state == Ticket.State.NEW:
        return None
    related = ("epoch__scorer", "prediction__language_model", "score", "audit_draw")
    verdict = Verdict.objects.current().select_related(*related).filter(ticket=ticket).first()
    if verdict is None or verdict.prediction is None:
        return None
    receivers = explanation_requested.send(Verdict, verdict=verdict) if verdict.auto_accepted else []
    certificates = [sentences or () for _receiver, sentences in receivers]
    draw: AuditDraw | None = getattr(verdict, "audit_draw", None)
    return VerdictExplanation(
        heading=_heading(verdict, draw),
        facts=[*_decided_by(verdict), *_scores(verdict), *_drawn(draw)],
        signals=_signals(verdict.score.load_signals()) if verdict.score else [],
        certificates=list(chain.from_iterable(certificates)),
    )


def _heading(verdict: Verdict, draw: AuditDraw | None) -> str:
    if not verdict.auto_accepted:
        return _("Why does this ticket need review?")
    if draw and draw.audited:
        return _("Why would this ticket have been auto-accepted?")
    return _("Why was this ticket auto-accepted?")


def _decided_by(verdict: Verdict) -> list[tuple[str, str]]:
    mode = GateMode(verdict.epoch.mode)
    threshold = verdict.epoch.threshold if verdict.threshold is None else verdict.threshold
    assert verdict.prediction  # noqa: S101 - checked by the caller
    facts = [
        (_("Answered by"), verdict.prediction.answered_by),
        (_("Decided by"), str(mode.label)),
        (_("Threshold at the time"), _threshold(mode, threshold)),
    ]
    if mode == GateMode.CONFIDENCE:
        return [*facts, (_("Stated confidence"), verdict.prediction.displayed_confidence)]
    return [*facts, (_("Had to be right"), str(Criterion(verdict.epoch.about).label))]


def _threshold(mode: GateMode, threshold: float | None) -> str:
    if threshold is None:
        return _("nothing was certified yet")
    return number_format(threshold, 2 if mode == GateMode.CONFIDENCE else DIGITS)


def _scores(verdict: Verdict) -> list[tuple[str, str]]:
    score: Score | None = verdict.score
    if score is None:
        return []
    parts = {_("category"): score.category, _("sentiment"): score.sentiment, _("both"): score.both}
    return [(_("Probability of being right: %s") % name, number_format(value, DIGITS)) for name, value in parts.items()]


def _drawn(draw: AuditDraw | None) -> list[tuple[str, str]]:
    if draw is None:
        return []
    figures = {"number": number_format(draw.number, DIGITS), "share": number_format(draw.share, DIGITS)}
    sentence = (
        _("selected: %(number)s is below the audit rate of %(share)s")
        if draw.audited
        else _("not selected: %(number)s is not below the audit rate of %(share)s")
    )
    return [(_("Random draw for an audit"), sentence % figures)]


def _signals(signals: Signals) -> list[str]:
    """The signals that the score was computed from."""
    sentences = [_("The model stated %s%% confidence.") % number_format(round(100 * signals.confidence))]
    sentences += _of_axis(signals.category, _("category")) + _of_axis(signals.sentiment, _("sentiment"))
    if signals.closeness is not None:
        sentences.append(_("Similarity to the nearest known texts: %s of 1.") % _short(signals.closeness))
    if signals.foreign:
        sentences.append(_("The specialist does not read its language."))
    if signals.in_front:
        sentences.append(_("The front model answered it."))
    return sentences


def _of_axis(axis: AxisSignals, name: str) -> list[str]:
    sentences = [] if axis.own else [_("First model, %s: different label.") % name]
    if axis.agrees is not None:
        agreed = _("Specialist, %s: same label.") if axis.agrees else _("Specialist, %s: different label.")
        sentences.append(agreed % name)
    if axis.words_agree is not None:
        agreed = _("Words alone, %s: same label.") if axis.words_agree else _("Words alone, %s: different label.")
        sentences.append(agreed % name)
    if axis.probability is not None and axis.margin is not None:
        figures = {"name": name, "probability": _short(axis.probability), "margin": _short(abs(axis.margin))}
        ahead = _("Specialist, %(name)s: probability %(probability)s, %(margin)s ahead of the next label.")
        behind = _("Specialist, %(name)s: probability %(probability)s, %(margin)s behind the best label.")
        sentences.append((ahead if axis.margin >= 0 else behind) % figures)
    if axis.logprob is not None:
        figures = {"name": name, "probability": number_format(math.exp(axis.logprob), DIGITS)}
        sentences.append(_("Token probability of the %(name)s: %(probability)s.") % figures)
    return sentences


def _short(value: float) -> str:
    return number_format(value, 2)
