"""What the pages of a benchmark show: kept figures put into words, order and drawings. Knows nothing of requests."""

from .board import Board
from .replies import Wanted, answers, kinds, said
from .sheet import Sheet
from .shown import NONE, Names
from .tool import Tool
from .underway import Underway, listed

__all__ = ["NONE", "Board", "Names", "Sheet", "Tool", "Underway", "Wanted", "answers", "kinds", "listed", "said"]
