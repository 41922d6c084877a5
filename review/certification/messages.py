"""The state of certification in plain words."""

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.models import GateMode
from review.certification.formatting import percent
from review.certification.status import CertificationStatus, Stage
from review.models import Certificate


def headline(status: CertificationStatus) -> str:
    """The state in one sentence."""
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
            assert status.alarm  # noqa: S101 - an open alarm suspends
            return _("Suspended: something may have changed (%s). Nothing is auto-accepted until audits settle it.") % (
                status.alarm.get_kind_display()
            )
        case Stage.REVOKED:
            return _("Revoked: audits found that the accuracy target is no longer met. Every ticket is reviewed.")


def details(status: CertificationStatus) -> list[str]:
    """The sentences below the headline."""
    match status.stage:
        case Stage.FIXED:
            return [
                _("How many of these tickets are wrong is unknown, and no one is notified when that changes."),
                _(
                    "Certified auto-accept finds the threshold itself, from tickets that people review without a "
                    "suggestion."
                ),
            ]
        case Stage.CERTIFIED:
            assert status.certificate  # noqa: S101 - that is what certified means
            return [evidence_summary(status.certificate), *_realised_errors(status), *_pending_audits(status)]
        case Stage.SUSPENDED:
            assert status.alarm  # noqa: S101 - an open alarm suspends
            return [_audits_since_alarm(status), *_realised_errors(status), *_pending_audits(status)]
        case Stage.REVOKED:
            return [_not_certified_yet(status) if status.progress else _waiting(status), *_pending_audits(status)]
        case _:
            return [_("Until then people review every ticket, and each audit adds evidence.")] + (
                _pending_audits(status)
            )


def _fixed(status: CertificationStatus) -> str:
    gate = status.gate
    if gate.mode == GateMode.SCORE:
        return _("Fixed threshold: tickets are auto-accepted from a score of %s. No accuracy is certified.") % (
            number_format(gate.score_threshold, 2)
        )
    return _("Fixed threshold: tickets are auto-accepted from %s%% confidence. No accuracy is certified.") % (
        percent(gate.threshold)
    )


def _waiting(status: CertificationStatus) -> str:
    if status.missing:
        return ngettext(
            "Certification starts after %d more ticket.", "Certification starts after %d more tickets.", status.missing
        ) % (status.missing)
    return _("Enough tickets have arrived: certification starts within a minute or two.")


def _not_certified_yet(status: CertificationStatus) -> str:
    needed = status.needed
    if needed is None:
        return _("Not certified yet, and far from it: audits find too many errors, even at the highest scores.")
    message = ngettext(
        "Not certified yet: about %s more audit without an error needed.",
        "Not certified yet: about %s more audits without an error needed.",
        needed,
    )
    return message % number_format(needed, force_grouping=True)


def _certified(status: CertificationStatus) -> str:
    assert status.certificate  # noqa: S101 - that is what certified means
    return _(
        "Certified since %(since)s: at least %(target)s%% of auto-accepted tickets are right. The risk "
        "that this, or anything else that this page has certified, is false is at most %(risk)s%%."
    ) % {
        "since": date_format(localtime(status.certificate.granted_at), "j M Y"),
        "target": percent(status.accuracy_target.target),
        "risk": percent(status.accuracy_target.risk),
    }


def evidence_summary(certificate: Certificate) -> str:
    """How many audits a certificate rests on, and what they found."""
    audits = number_format(certificate.audits, force_grouping=True)
    message = ngettext(
        "Based on %(audits)s blind audit, errors: %(errors)s.",
        "Based on %(audits)s blind audits, errors: %(errors)s.",
        certificate.audits,
    )
    return message % {"audits": audits, "errors": number_format(certificate.errors, force_grouping=True)}


def _audits_since_alarm(status: CertificationStatus) -> str:
    assert status.alarm  # noqa: S101 - an open alarm suspends
    figures = {"audits": 0, "errors": 0} | status.alarm.figures
    return str(_("Audits since then: %(audits)d, errors: %(errors)d.") % figures)


def _realised_errors(status: CertificationStatus) -> list[str]:
    """The most wrong ones among the tickets that passed; nothing while that may be all of them."""
    assert status.progress  # noqa: S101 - a certificate has a ledger
    passed, most_wrong = status.progress.evidence.realised_errors(status.accuracy_target.risk)
    if most_wrong == passed:
        return []
    message = ngettext(
        "Nobody has looked at the latest %(passed)s auto-accepted ticket. At most %(wrong)s is wrong, whatever has "
        "happened meanwhile.",
        "Nobody has looked at the latest %(passed)s auto-accepted tickets. At most %(wrong)s of them are wrong, "
        "whatever has happened meanwhile.",
        passed,
    )
    counts = {"passed": passed, "wrong": most_wrong}
    return [message % {name: number_format(count, force_grouping=True) for name, count in counts.items()}]


def _pending_audits(status: CertificationStatus) -> list[str]:
    pending = status.progress.pending if status.progress else 0
    if not pending:
        return []
    message = ngettext("%s audit is waiting for a reviewer.", "%s audits are waiting for a reviewer.", pending)
    return [message % number_format(pending, force_grouping=True)]


def next_step(status: CertificationStatus, scored: float) -> str:
    """What the next step takes and brings if this share of tickets is scored; empty without a ledger."""
    progress = status.progress
    if progress is None or status.stage == Stage.SUSPENDED:
        return ""
    if progress.is_complete:
        return _("Every threshold is certified.")
    if status.needed is None:
        return _("The next step is too far to estimate: audits find too many errors there.")
    coverage = progress.ledger.coverage[progress.next_index]
    return _after(status.needed) % {
        "needed": number_format(status.needed, force_grouping=True),
        "coverage": percent(coverage, 0),
        "effort": percent(expected_review_share(status, scored), 0),
    }


def _after(needed: int) -> str:
    return ngettext(
        "After about %(needed)s more audit without an error, about %(coverage)s%% of tickets can be "
        "auto-accepted; people then review about %(effort)s%%, audits included.",
        "After about %(needed)s more audits without an error, about %(coverage)s%% of tickets can be "
        "auto-accepted; people then review about %(effort)s%%, audits included.",
        needed,
    )


def expected_review_share(status: CertificationStatus, scored: float) -> float:
    """The share of tickets that people will review once the next step is certified, at the later audit share. Only
    those `scored` can pass.
    """
    progress = status.progress
    coverage = float(progress.ledger.coverage[progress.next_index]) if progress else 0.0
    return 1 - scored * coverage * (1 - status.accuracy_target.late_share)
