"""A person's preferences: shortcuts; the language is stored in the browser."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from review.http import HtmxHttpRequest, reviewer_required
from review.models import Preferences
from review.preferences.forms import KeysForm, LanguageForm


@require_http_methods(["GET", "HEAD", "POST"])
@reviewer_required
def preferences(request: HtmxHttpRequest) -> HttpResponse:
    if "reset" in request.POST:
        Preferences.objects.filter(user=request.user).delete()
        messages.success(request, _("Shortcuts reset to their defaults."))
        return redirect("review:preferences")
    form = KeysForm(request.POST or None, Preferences.for_user(request.user))
    if form.is_valid():
        form.save(request.user)
        messages.success(request, _("Shortcuts saved."))
        return redirect("review:preferences")
    language_form = LanguageForm(initial={"language": get_language()})
    return render(request, "review/preferences/preferences.html", {"form": form, "language_form": language_form})
