"""URLs of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

from ticketclf_site import api
from ticketclf_site.sign_in.views import AdminSignInView, SignInView

handler500 = "ticketclf_site.errors.server_error"

urlpatterns = [
    path("", include("classifier.urls")),
    path("review/", include("review.urls")),
    path("sign-in/", SignInView.as_view(), name="login"),
    path("sign-out/", auth_views.LogoutView.as_view(), name="logout"),
    # The names that the account library expects.
    path("sign-in/", SignInView.as_view(), name="account_login"),
    path("sign-out/", auth_views.LogoutView.as_view(), name="account_logout"),
    path("account/", include("ticketclf_site.sign_in.urls")),
    path("admin/login/", AdminSignInView.as_view()),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
]
