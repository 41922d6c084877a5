"""Six questions about certified auto-accept, and answers for people who know no statistics."""

from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from review.certification import messages
from review.certification.formatting import percent
from review.certification.status import CertificationStatus, Stage
from review.certification.traffic import RecentTraffic
from review.stats.intervals import Estimate


class Question(NamedTuple):
    question: str
    answer: str


def in_short(status: CertificationStatus, traffic: RecentTraffic, wrong: Estimate | None) -> list[Question]:
    """The questions with their answers; none with a fixed threshold, or before there is an epoch."""
    if status.stage == Stage.FIXED or status.epoch is None or status.epoch.scorer is None:
        return []
    return [
        Question(_("Who answers?"), status.epoch.scorer.who_answers),
        Question(_("How many tickets does nobody look at?"), _passed(traffic)),
        Question(_("Which tickets do people look at?"), _reviewed(traffic)),
        Question(_("How many auto-accepted tickets are wrong?"), _wrong(status, wrong)),
        Question(_("How sure is that?"), _certainty(status)),
        Question(_("What if something changes?"), _change(status)),
    ]


def _passed(traffic: RecentTraffic) -> str:
    if not traffic.tickets:
        return _("No ticket has come since then.")
    message = ngettext(
        "%(passed)s of the latest %(tickets)s ticket.", "%(passed)s of the latest %(tickets)s tickets.", traffic.tickets
    )
    return message % {"passed": _whole(traffic.passed), "tickets": _whole(traffic.tickets)}


def _reviewed(traffic: RecentTraffic) -> str:
    reasons = [
        (traffic.unsure, _("%s that are not sure enough")),
        (traffic.audits, _("%s drawn at random for an audit")),
        (traffic.in_bursts, _("%s in bursts of alike tickets")),
        (traffic.suspected, _("%s with a possible prompt injection")),
    ]
    parts = [text % _whole(number) for number, text in reasons if number]
    if not parts:
        return _("None yet.")
    return _("%(number)s: %(parts)s.") % {"number": _whole(traffic.tickets - traffic.passed), "parts": ", ".join(parts)}


def _wrong(status: CertificationStatus, wrong: Estimate | None) -> str:
    if status.stage == Stage.SUSPENDED:
        return _("That is what the audits since the alarm find out. Nothing is auto-accepted until then.")
    if status.certificate is None:
        return _("None: nothing is auto-accepted yet.")
    if wrong is None or wrong.estimate is None:
        return _("That is not known before the first audits.")
    return _("About %(wrong)s in 100, by what the audits found. The target allows %(allowed)s in 100.") % {
        "wrong": percent(wrong.estimate),
        "allowed": percent(1 - status.accuracy_target.target),
    }


def _certainty(status: CertificationStatus) -> str:
    if status.certificate is None:
        return _("Auto-accept starts only once audits show that the target is met.")
    return _("%(audits)s The risk that the target is missed is at most %(risk)s%%.") % {
        "audits": messages.evidence_summary(status.certificate),
        "risk": percent(status.accuracy_target.risk),
    }


def _change(status: CertificationStatus) -> str:
    if status.stage == Stage.SUSPENDED:
        return _("Something may have changed: people review every ticket until audits settle it.")
    return _(
        "If audits find more errors, or tickets or answers look different, auto-accept stops by itself and the leads "
        "are informed. Some wrong tickets may pass before that."
    )


def _whole(number: int) -> str:
    return number_format(number, force_grouping=True)
