"""After signing in again, return people to their page with what they had typed."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirectBase
from django.shortcuts import redirect, resolve_url
from django.views.csrf import csrf_failure as stock_csrf_failure
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from classifier import form_recovery
from ticketclf_site.sign_in.views import lacks_second_factor


class SignInMiddleware(LoginRequiredMiddleware):
    """Redirects visitors to the sign-in page, and keeps the form they sent if the view supports recovery."""

    def process_view(self, request: HttpRequest, view_func: Any, *args: Any) -> HttpResponseBase | None:
        if not super().process_view(request, view_func, *args):
            return redirect("mfa_index") if lacks_second_factor(request) else None
        if request.method == "POST" and _recovery_page(request, view_func):
            form_recovery.save_form(request)
        return _redirect(request, redirect_to_login(_return_url(request, view_func)).url)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Offer a form again if its CSRF token is outdated, as after signing in in another tab; refuse others."""
    page = _recovery_page(request, request.resolver_match.func) if request.resolver_match else None
    if not page or not form_recovery.save_form(request):
        return stock_csrf_failure(request, reason)
    if request.user.is_authenticated:
        return _redirect(request, resolve_url(page))
    return _redirect(request, redirect_to_login(resolve_url(page)).url)


def _recovery_page(request: HttpRequest, view: Any) -> str | None:
    """The page that restores this view's form; None if the view keeps none."""
    page: str | Callable[[HttpRequest], str] | None = getattr(view, "recovery_page", None)
    return page(request) if callable(page) else page


def _return_url(request: HttpRequest, view: Any) -> str:
    """Where to go after signing in; empty for the default page if the URL only makes sense as a POST."""
    if page := _recovery_page(request, view):
        return resolve_url(page)
    if htmx := HtmxDetails(request):
        return htmx.current_url_abs_path or ""
    return request.get_full_path() if request.method in ("GET", "HEAD") else ""


def _redirect(request: HttpRequest, url: str) -> HttpResponseRedirectBase:
    """For htmx, a client-side redirect: it would swap the target of a plain one into the page."""
    return HttpResponseClientRedirect(url) if HtmxDetails(request) else redirect(url)
