"""Django admin of review: settings, decisions, gold labels and certification."""

from review.admin import certification, gold, workflow

__all__ = ["certification", "gold", "workflow"]
