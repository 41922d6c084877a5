"""Adapters of the account library: no sign-up, one authentication backend, encrypted second-factor secrets."""

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
NO_ADDRESS = "0.0.0.0"  # noqa: S104 - not bound


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        """Always use one backend, so that permissions are queried once per request."""
        user.backend = BACKEND
        super().login(request, user)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """People without a local way to confirm their identity, such as OpenID users, are not asked to."""
        required = super().is_reauthentication_required(app=app, **kwargs)
        return required and bool(self.get_reauthentication_methods(context.request.user))

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address of the connection, as throttling uses; forwarded addresses can be forged."""
        return request.META.get("REMOTE_ADDR") or NO_ADDRESS


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Sign-in through OpenID Connect: people are matched by verified e-mail.

    New people have no permissions until an admin gives them a role.
    """

    def is_open_for_signup(self, request: HttpRequest, login: Any) -> bool:
        return True

    def pre_social_login(self, request: HttpRequest, login: Any) -> None:
        if not login.is_existing and not any(address.verified for address in login.email_addresses):
            raise ImmediateHttpResponse(render(request, "socialaccount/unverified.html", status=403))


class MfaAdapter(DefaultMFAAdapter):
    def get_totp_issuer(self) -> str:
        return "ticketclf"

    def encrypt(self, text: str) -> str:
        return _cipher(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; if its key is gone, a random one, so that every code is rejected."""
        try:
            return (
                _cipher(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).decrypt(encrypted_text.encode()).decode()
            )
        except InvalidToken:
            return base64.b32encode(secrets.token_bytes(20)).decode()


@lru_cache(maxsize=4)
def _cipher(*secret_keys: str) -> MultiFernet:
    digests = [hashlib.sha256(f"second factors:{key}".encode()).digest() for key in secret_keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
