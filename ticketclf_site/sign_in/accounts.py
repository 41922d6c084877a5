"""How the account library fits in here: nobody signs up, one backend for all, secrets of second factors encrypted."""

from __future__ import annotations

import base64
import hashlib
import secrets
from functools import lru_cache
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import render

BACKEND = "ticketclf_site.sign_in.backend.OneQueryBackend"
NO_ADDRESS = "0.0.0.0"  # noqa: S104 - nothing is bound to it


class Accounts(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        """Whichever way somebody came, what they may do is asked once a request."""
        user.backend = BACKEND
        super().login(request, user)

    def is_reauthentication_required(self, *, app: str, **about: Any) -> bool:
        """Who came with an account elsewhere and has nothing here yet cannot be asked for it once more."""
        required = super().is_reauthentication_required(app=app, **about)
        return required and bool(self.get_reauthentication_methods(context.request.user))

    def get_client_ip(self, request: HttpRequest) -> str:
        """Of the connection, as throttling sees it: a forwarded address is anybody's claim."""
        return request.META.get("REMOTE_ADDR") or NO_ADDRESS


class Federation(DefaultSocialAccountAdapter):
    """Who comes with an account elsewhere: people who are known by their e-mail, and new ones, who may do nothing until
    an admin gives them a role.
    """

    def is_open_for_signup(self, request: HttpRequest, login: Any) -> bool:
        return True

    def pre_social_login(self, request: HttpRequest, login: Any) -> None:
        if not login.is_existing and not any(address.verified for address in login.email_addresses):
            raise ImmediateHttpResponse(render(request, "socialaccount/unverified.html", status=403))


class SecondFactors(DefaultMFAAdapter):
    def get_totp_issuer(self) -> str:
        return "ticketclf"

    def encrypt(self, text: str) -> str:
        return _box(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Of what was encrypted under a key that is gone, a secret that nobody has: every code is wrong then."""
        try:
            return _box(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            return base64.b32encode(secrets.token_bytes(20)).decode()


@lru_cache(maxsize=4)
def _box(*secret_keys: str) -> MultiFernet:
    digests = [hashlib.sha256(f"second factors:{key}".encode()).digest() for key in secret_keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
