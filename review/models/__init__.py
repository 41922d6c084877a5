"""The tables of review."""

from .benchmark import BenchmarkItem

__all__ = ["BenchmarkItem"]
