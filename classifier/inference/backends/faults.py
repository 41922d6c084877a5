"""Reads what a refusal means: whose fault it is, and whether asking again can help. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from classifier.contract.types import ClassifierError, FailureKind, ProviderFault
from classifier.inference.backends.dialects import is_about_a_feature
from classifier.inference.backends.remote_model import RemoteModel
from classifier.retry_after import Headers, retry_after

LONGEST_WORDS = 300

_RETRYABLE = {408, 409, 425, 429}
_FLAGGED = {"content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation_blocked"}
_UNPAID = {"insufficient_balance", "insufficient_credits", "billing_not_active", "billing_error", "payment_required"}
_SPENT = {"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded", "spending_limit_reached"}
_GONE = {"model_not_found", "model_decommissioned", "model_deprecated", "deploymentnotfound", "model_not_supported"}
_UNKNOWN_KEY = {"invalid_api_key", "authentication_error", "permission_denied", "account_deactivated"}

# Some providers name an empty balance in words only; at the start, where no quoted ticket can stand.
_UNPAID_WORDS = re.compile(r"(your )?(credit balance is too low|insufficient (balance|credits?|funds))", re.IGNORECASE)
_SPENT_WORDS = re.compile(r"(error code: 429 - )?(insufficient_quota|insufficient quota)", re.IGNORECASE)

_HINTS = {
    FailureKind.PAYMENT_REQUIRED: "The balance is empty; top it up.",
    FailureKind.QUOTA: "The quota is used up; raise it, or wait until it begins again.",
    FailureKind.MODEL_GONE: "Check the base URL and the model's name.",
}


def status_error(model: RemoteModel, status: int, body: Any, headers: Headers) -> ClassifierError:
    """The error for a reply with this status, or for a reply of status 200 whose body says that it is an error."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    words, names = _words(model, error), _names(error)
    if names & _FLAGGED or _is_flagged(error):
        return ClassifierError(f"{status}: {words}", kind=FailureKind.REFUSED, permanent=True)
    refuses_feature = status in (403, 404, 501) and is_about_a_feature(words)
    if not refuses_feature and (kind := _provider_fault(status, names, words)):
        return ProviderFault(f"{status}: {_hint(model, kind)} {words}".strip(), kind=kind, words=words)
    if 300 <= status < 400:
        where = str(headers.get("location") or "")[:LONGEST_WORDS]
        return ProviderFault(
            f"{model.base_url} redirects to {where or 'another address'}; enter the address that answers itself.",
            kind=FailureKind.UNREACHABLE,
            words=where,
        )
    if not refuses_feature and (status in _RETRYABLE or (status >= 500 and status != 501)):
        kind = FailureKind.RATE_LIMITED if status == 429 else FailureKind.SERVER_ERROR
        return ClassifierError(f"{status}: {words}", kind=kind, retry_after=retry_after(headers))
    return ClassifierError(f"{status}: {words}", kind=FailureKind.REJECTED, permanent=True)


def _provider_fault(status: int, names: set[str], words: str) -> FailureKind | None:
    if status == 402 or names & _UNPAID or _UNPAID_WORDS.match(words):
        return FailureKind.PAYMENT_REQUIRED
    if names & _SPENT or (status == 429 and _SPENT_WORDS.match(words)):
        return FailureKind.QUOTA
    if status in (404, 410) or names & _GONE:
        return FailureKind.MODEL_GONE
    if status in (401, 403) or names & _UNKNOWN_KEY:
        return FailureKind.UNAUTHORIZED
    return None


def _hint(model: RemoteModel, kind: FailureKind) -> str:
    if kind == FailureKind.UNAUTHORIZED:
        where = f"the key in {model.key_variable}" if model.key_variable else "the provider's key variable"
        return f"{model.name} refused the request; check {where}."
    return _HINTS[kind]


def _names(error: Any) -> set[str]:
    """How the endpoint itself names the error, in lower case."""
    if not isinstance(error, Mapping):
        return set()
    inner = error.get("innererror")
    values = [error.get("code"), error.get("type"), error.get("status")]
    values += [inner.get("code")] if isinstance(inner, Mapping) else []
    return {value.lower() for value in values if isinstance(value, str)}


def _is_flagged(error: Any) -> bool:
    """Whether a gateway's moderation refused this one text."""
    metadata = error.get("metadata") if isinstance(error, Mapping) else None
    return isinstance(metadata, Mapping) and "flagged_input" in metadata


def _words(model: RemoteModel, error: Any) -> str:
    """The endpoint's own message on one line of limited length, without the key that some endpoints quote."""
    message = error
    if isinstance(error, Mapping):
        message = next((error[name] for name in ("message", "msg", "detail", "code") if error.get(name)), error)
    line = " ".join(str(message or "").split())
    return (line.replace(model.key, "[key]") if model.key else line)[:LONGEST_WORDS]
