"""Table of contents of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

from ticketclf_site import api
from ticketclf_site.sign_in.views import AdminSignIn, SignIn

urlpatterns = [
    path("", include("classifier.urls")),
    path("review/", include("review.urls")),
    path("sign-in/", SignIn.as_view(), name="login"),
    path("sign-out/", auth_views.LogoutView.as_view(), name="logout"),
    # As the account library calls them.
    path("sign-in/", SignIn.as_view(), name="account_login"),
    path("sign-out/", auth_views.LogoutView.as_view(), name="account_logout"),
    path("account/", include("ticketclf_site.sign_in.urls")),
    path("admin/login/", AdminSignIn.as_view()),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
]
