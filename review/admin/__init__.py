"""Django admin: how the desk is run, the records of what people said, and the labels that came of it."""

from . import desk, gold

__all__ = ["desk", "gold"]
