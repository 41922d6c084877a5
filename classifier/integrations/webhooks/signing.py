"""Signatures as Standard Webhooks has them (https://www.standardwebhooks.com). Pure."""

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"


def headers(secret: str, name: str, at: int, body: bytes) -> dict[str, str]:
    """What goes along with a body so that its receiver can tell who sent it, and when (seconds since 1970).

    Raises ValueError where the secret is no base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is no base64") from None
    signature = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
