"""Escapes the cells of tables that spreadsheets would run as formulas. Pure.

Spreadsheets run cells that begin like a formula, and texts are untrusted. Such cells are escaped with an apostrophe,
even if they already begin with apostrophes, so that reading always removes exactly one. Full-width signs, tabs and line
ends count too (OWASP, "CSV Injection").
"""

import re

_BEGINNINGS = re.escape("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# Where a spreadsheet takes semicolons for delimiters, a cell may begin after each.
_FORMULA = re.compile(f"(^|;[ \"]*)('*[{_BEGINNINGS}])")
_ESCAPED = re.compile(f"(^|;[ \"]*)'('*[{_BEGINNINGS}])")


def escape_formula(cell: object) -> object:
    """Put an apostrophe before each part of a string that a spreadsheet would run as a formula."""
    return _FORMULA.sub(r"\1'\2", cell) if isinstance(cell, str) else cell


def unescape_formula(cell: str) -> str:
    """Undo `escape_formula`."""
    return _ESCAPED.sub(r"\1\2", cell) if "'" in cell else cell
