"""Where the promise stands, in words for somebody who knows no statistics."""

from __future__ import annotations

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import GateMode
from review.certification.formatting import percent
from review.certification.status import CertificationStatus, LedgerProgress, Stage
from review.certification.what_if import review_share
from review.models import Certificate


def headline(status: CertificationStatus) -> str:
    """The state, in one plain sentence."""
    match status.stage:
        case Stage.FIXED:
            return _fixed(status)
        case Stage.WAITING:
            return _waiting(status)
        case Stage.UNCERTIFIED:
            return _not_certified_yet(status)
        case Stage.CERTIFIED:
            return _certified(status)
        case Stage.SUSPENDED:
            assert status.alarm  # noqa: S101 - it is what suspends
            return _("Suspended: something may have changed (%s). Until it is clear nothing passes unseen.") % (
                status.alarm.get_kind_display()
            )
        case Stage.REVOKED:
            return _("Revoked: audits found that the promise did not hold any more. Every ticket goes to people.")


def details(status: CertificationStatus) -> list[str]:
    """What the sentence stands on, and what it does not say."""
    match status.stage:
        case Stage.FIXED:
            return [
                _("How many of these tickets are wrong is not known, and nobody is told when it changes."),
                _("Certified mode finds the threshold itself, from tickets that people check without a suggestion."),
            ]
        case Stage.CERTIFIED:
            assert status.certificate  # noqa: S101 - that is what certified means
            return [evidence_summary(status.certificate), *_pending_audits(status)]
        case Stage.SUSPENDED:
            assert status.alarm  # noqa: S101 - it is what suspends
            return [_audits_since_alarm(status), *_pending_audits(status)]
        case Stage.REVOKED:
            return [_not_certified_yet(status) if status.progress else _waiting(status), *_pending_audits(status)]
        case _:
            return [_("Until then people look at every ticket, and each that they check brings it nearer.")] + (
                _pending_audits(status)
            )


def _fixed(status: CertificationStatus) -> str:
    gate = status.gate
    if gate.mode == GateMode.SCORE:
        return _("A fixed threshold decides: tickets pass unseen whose score is %s or more. Nothing is promised.") % (
            number_format(gate.score_threshold, 2)
        )
    return _("A fixed threshold decides: tickets pass if the model says that it is %s%% sure. Nothing is promised.") % (
        percent(gate.threshold)
    )


def _waiting(status: CertificationStatus) -> str:
    if status.missing:
        return ngettext(
            "Waiting for %d ticket to make a start.", "Waiting for %d tickets to make a start.", status.missing
        ) % (status.missing)
    return _("Enough tickets have come: a start is made within a minute or two.")


def _not_certified_yet(status: CertificationStatus) -> str:
    needed = status.needed
    if needed is None:
        return _("Not certified yet, and far from it: audits find too many errors, even among the surest answers.")
    said = ngettext(
        "Not certified yet: about %s more clean audit.", "Not certified yet: about %s more clean audits.", needed
    )
    return said % number_format(needed, force_grouping=True)


def _certified(status: CertificationStatus) -> str:
    assert status.certificate  # noqa: S101 - that is what certified means
    return _(
        "Certified since %(since)s: of the tickets that pass unseen at least %(target)s%% are right; the risk that "
        "this is wrong is at most %(risk)s%%."
    ) % {
        "since": date_format(localtime(status.certificate.granted_at), "j M Y"),
        "target": percent(status.accuracy_target.target),
        "risk": percent(status.accuracy_target.risk),
    }


def evidence_summary(certificate: Certificate) -> str:
    """How many audits a certificate rests on, and what they found."""
    audits = number_format(certificate.audits, force_grouping=True)
    said = ngettext(
        "It stands on %(audits)s blind audit, %(errors)s of which found an error.",
        "It stands on %(audits)s blind audits, %(errors)s of which found an error.",
        certificate.audits,
    )
    return said % {"audits": audits, "errors": number_format(certificate.errors, force_grouping=True)}


def _audits_since_alarm(status: CertificationStatus) -> str:
    assert status.alarm  # noqa: S101 - it is what suspends
    figures = {"audits": 0, "errors": 0} | status.alarm.figures
    return str(_("Audits so far since then: %(audits)d, of which %(errors)d found an error.") % figures)


def _pending_audits(status: CertificationStatus) -> list[str]:
    pending = status.progress.pending if status.progress else 0
    if not pending:
        return []
    said = ngettext("%s audit waits for an answer.", "%s audits wait for an answer.", pending)
    return [said % number_format(pending, force_grouping=True)]


def next_step(status: CertificationStatus) -> str:
    """What it takes to get on, and what it brings; empty where there are no books."""
    progress = status.progress
    if progress is None or status.stage == Stage.SUSPENDED:
        return ""
    if progress.is_complete:
        return _("No step is left: every threshold that is tried is certified.")
    if status.needed is None:
        return _("The next step is too far away to tell: audits find too many errors there.")
    coverage = progress.ledger.coverage[progress.next_index]
    return _after(status.needed) % {
        "needed": number_format(status.needed, force_grouping=True),
        "coverage": percent(coverage, 0),
        "effort": percent(expected_review_share(progress, status.accuracy_target.late_share), 0),
    }


def _after(needed: int) -> str:
    return ngettext(
        "After about %(needed)s more clean audit about %(coverage)s%% of the tickets may pass, and people look at "
        "about %(effort)s%%, audits included.",
        "After about %(needed)s more clean audits about %(coverage)s%% of the tickets may pass, and people look at "
        "about %(effort)s%%, audits included.",
        needed,
    )


def expected_review_share(progress: LedgerProgress, audited: float) -> float:
    """The share of tickets that people will look at once the next step is certified and audits are few."""
    return review_share(progress.ledger.coverage[progress.next_index], audited)
