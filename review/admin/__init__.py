"""Django admin: how the desk is run, what people said, the labels that came of it, and what is promised."""

from review.admin import certification, gold, workflow

__all__ = ["certification", "gold", "workflow"]
