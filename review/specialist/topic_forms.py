"""Form for a new category made from an emerging topic."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from classifier.contract.types import Option
from classifier.models import Category, DraftLabel

MOST_EXAMPLES = 20
LONGEST_EXAMPLE = 500


class NewCategoryForm(forms.ModelForm[DraftLabel]):
    class Meta:
        model = DraftLabel
        fields = ("name", "description", "examples")
        widgets = {"description": forms.Textarea(attrs={"rows": 2}), "examples": forms.Textarea(attrs={"rows": 7})}
        help_texts = {
            "name": _("Short, as agents will read it in a list."),
            "description": _(
                "One line on what belongs here. Models read it; a good description adds several points of accuracy."
            ),
            "examples": _(
                "Typical texts, one per line; models read them too. Addresses and numbers are masked, names are not."
            ),
        }

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if Category.objects.active().filter(parent=None, name__iexact=name).exists():
            raise ValidationError(_("A category with this name already exists here."))
        return name

    def clean_examples(self) -> str:
        examples = str(self.cleaned_data["examples"])
        lines = _lines(examples)
        if len(lines) > MOST_EXAMPLES or any(len(line) > LONGEST_EXAMPLE for line in lines):
            limits = {"number": MOST_EXAMPLES, "length": LONGEST_EXAMPLE}
            raise ValidationError(_("At most %(number)d lines of %(length)d characters each.") % limits)
        return examples

    def option(self) -> Option:
        """The category as submitted, or as suggested."""
        values = self.cleaned_data if self.is_bound else self.initial
        return Option(
            name=values["name"], description=values["description"], examples=tuple(_lines(values["examples"]))
        )


def _lines(examples: str) -> list[str]:
    return [line.strip() for line in examples.splitlines() if line.strip()]
