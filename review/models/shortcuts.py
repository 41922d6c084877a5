"""The keys of the review screen: single ones, without modifiers. Pure."""

from collections.abc import Mapping

DEFAULTS: dict[str, str] = {
    "submit": "Enter",
    # These two early, for of two actions with one key a browser hears the later: who had given it away keeps it.
    "guidelines": "g",
    "words": "h",
    "skip": "s",
    "escalate": "x",
    "undo": "u",
    "note": "n",
    "find": "/",
    "help": "?",
    "alike": "a",
    "first": "f",
    "second": "j",
    "sentiment_1": "q",
    "sentiment_2": "w",
    "sentiment_3": "e",
    "sentiment_4": "r",
    "sentiment_5": "t",
    "sentiment_6": "y",
    "category_1": "1",
    "category_2": "2",
    "category_3": "3",
    "category_4": "4",
    "category_5": "5",
    "category_6": "6",
    "category_7": "7",
    "category_8": "8",
    "category_9": "9",
}
"""Key by action, as browsers name keys."""

FIXED = frozenset({"submit"})
"""Enter also presses whichever control has the focus, so it stays."""

NUMBERED, LETTERED = 9, 6
"""How many categories have a number and how many sentiments a letter; the others are found by typing."""


class Clash(Exception):
    """Two actions would have one key; `actions` are both."""

    def __init__(self, key: str, actions: tuple[str, str]) -> None:
        super().__init__(key)
        self.key, self.actions = key, actions


def usable(key: str) -> bool:
    """Whether a key may stand for an action: one printable character that no reader needs for itself."""
    return len(key) == len(key.lower()) == 1 and key.isprintable() and not key.isspace()


def checked(wanted: Mapping[str, str]) -> dict[str, str]:
    """What differs from the defaults, with letters in lower case. Raises Clash."""
    chosen = dict(DEFAULTS) | {
        action: key.lower() for action, key in wanted.items() if action in DEFAULTS and action not in FIXED
    }
    seen: dict[str, str] = {}
    for action, key in chosen.items():
        if key in seen:
            raise Clash(key, (seen[key], action))
        seen[key] = action
    return {action: key for action, key in chosen.items() if key != DEFAULTS[action]}
