"""Signing in leads back to where one was, with what one had typed."""

from __future__ import annotations

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
    """Leads visitors to the sign-in page; what they sent is kept where the view `keeps_input`."""

    def process_view(self, request: HttpRequest, view_func: Any, *args: Any) -> HttpResponseBase | None:
        if not super().process_view(request, view_func, *args):
            return redirect("mfa_index") if lacks_second_factor(request) else None
        if request.method == "POST" and _page_of(request, view_func):
            form_recovery.save_form(request)
        return _lead(request, redirect_to_login(_back(request, view_func)).url)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form from before its person signed in again, in another tab, is offered once more; any other is refused."""
    page = _page_of(request, request.resolver_match.func) if request.resolver_match else None
    if not page or not form_recovery.save_form(request):
        return stock_csrf_failure(request, reason)
    if request.user.is_authenticated:
        return _lead(request, resolve_url(page))
    return _lead(request, redirect_to_login(resolve_url(page)).url)


def _page_of(request: HttpRequest, view: Any) -> str | None:
    """The name of the page that takes what is kept of this view's input; none where nothing is kept."""
    page: str | Callable[[HttpRequest], str] | None = getattr(view, "recovery_page", None)
    return page(request) if callable(page) else page


def _back(request: HttpRequest, view: Any) -> str:
    """The page to go to after signing in; empty, so the usual one, where the address alone means nothing."""
    if page := _page_of(request, view):
        return resolve_url(page)
    if htmx := HtmxDetails(request):
        return htmx.current_url_abs_path or ""
    return request.get_full_path() if request.method in ("GET", "HEAD") else ""


def _lead(request: HttpRequest, url: str) -> HttpResponseRedirectBase:
    """A plain redirect would have htmx put the page into a part of another."""
    return HttpResponseClientRedirect(url) if HtmxDetails(request) else redirect(url)
