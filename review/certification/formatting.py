"""Format numbers for the certification pages."""

from django.utils.formats import number_format


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, in the page's language, without trailing zeros."""
    shown = round(100 * share, digits)
    return number_format(int(shown) if shown == int(shown) else shown)
