"""The form that gives a text another label."""

from django import forms
from django.utils.translation import gettext_lazy as _

from review.models import GoldLabel
from review.screen.label_options import Options


class CorrectLabelForm(forms.Form):
    category = forms.ChoiceField(label=_("category"))
    sentiment = forms.ChoiceField(label=_("sentiment"))

    def __init__(self, options: Options, gold: GoldLabel) -> None:
        super().__init__(auto_id="%s", initial={"category": gold.category_id, "sentiment": gold.sentiment_id})
        for name, choices in (("category", options.categories), ("sentiment", options.sentiments)):
            self.fields[name].widget.choices = [(option.pk, option.name) for option in choices]
