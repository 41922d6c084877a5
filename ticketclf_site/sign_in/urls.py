"""URLs of the account library, without sign-up, e-mail addresses and tokens."""

from allauth.account import views as account
from allauth.socialaccount import views as federation
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from ticketclf_site.sign_in.views import deny_password_setup

urlpatterns = [
    path("confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("password/", account.password_change, name="account_change_password"),
    path("password/set/", deny_password_setup, name="account_set_password"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("second-factor/", include("allauth.mfa.urls")),
    path("sessions/", include("allauth.usersessions.urls")),
    path("cancelled/", federation.login_cancelled, name="socialaccount_login_cancelled"),
    path("failed/", login_not_required(federation.login_error), name="socialaccount_login_error"),
    path("", include("allauth.socialaccount.providers.openid_connect.urls")),
]
