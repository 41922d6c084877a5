"""Sign-in for the site and the admin: a password, then the second factor, if any."""

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator

SECOND_FACTOR = "has_second_factor"
WITHOUT_SECOND_FACTOR = {"logout", "set_language", "account_reauthenticate", "account_change_password"}


class SignInView(LoginView):
    redirect_authenticated_user = True
    extra_context = {"oidc_name": settings.OIDC_NAME}

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Let the account library ask for the second factor before it signs in."""
        login = Login(user=form.get_user(), redirect_url=self.get_success_url(), email_verification="none")
        credentials = {"username": form.cleaned_data["username"]}
        response: HttpResponse = perform_password_login(self.request, credentials, login)
        return response


class AdminSignInView(SignInView):
    @method_decorator(login_not_required)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Otherwise the admin would redirect here again, without end.
        if request.user.is_authenticated and not admin.site.has_permission(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")


def deny_password_setup(request: HttpRequest) -> HttpResponse:
    """OpenID users cannot set a password: it would still work after their account there is closed."""
    raise PermissionDenied


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether the user must set up a second factor first (queried until they have)."""
    if not settings.REQUIRE_MFA or not request.user.is_authenticated or request.session.get(SECOND_FACTOR):
        return False
    if is_mfa_enabled(request.user):
        request.session[SECOND_FACTOR] = True
        return False
    name = request.resolver_match.view_name if request.resolver_match else ""
    return name not in WITHOUT_SECOND_FACTOR and not name.startswith("mfa_")
