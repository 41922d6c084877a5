"""Django admin: how the desk is run, what people said, the labels that came of it, and what is promised."""

from . import assurance, desk, gold

__all__ = ["assurance", "desk", "gold"]
