"""Numbers as the certification pages show them."""

from django.utils.formats import number_format


def percent(share: float, digits: int = 1) -> str:
    """In the language of the page, without digits that say nothing."""
    shown = round(100 * share, digits)
    return number_format(int(shown) if shown == int(shown) else shown)
