from django.forms.renderers import TemplatesSetting


class FormRenderer(TemplatesSetting):
    """Lays out every form and field by one template each."""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"
