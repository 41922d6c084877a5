"""Keyboard shortcuts of the review screen: single keys without modifiers. Pure."""

from collections.abc import Mapping

DEFAULTS: dict[str, str] = {
    "submit": "Enter",
    "attribute_1": "v",
    "attribute_2": "b",
    "attribute_3": "c",
    "attribute_4": "k",
    "attribute_5": "l",
    "attribute_6": "m",
    "attribute_7": "o",
    "attribute_8": "i",
    # Early in the list: where two actions share a key, the browser uses the later one.
    "guidelines": "g",
    "words": "h",
    "skip": "s",
    "escalate": "x",
    "undo": "u",
    "note": "n",
    "find": "/",
    "help": "?",
    "duplicates": "a",
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
"""The key for each action, as browsers name keys."""

FIXED = frozenset({"submit"})
"""Enter also presses the focused control, so it cannot be changed."""


class Clash(Exception):
    """Two `actions` have the same key."""

    def __init__(self, key: str, actions: tuple[str, str]) -> None:
        super().__init__(key)
        self.key, self.actions = key, actions


def usable(key: str) -> bool:
    """Whether a key can be a shortcut: one printable character, not a space."""
    return len(key) == len(key.lower()) == 1 and key.isprintable() and not key.isspace()


def merged(changed: Mapping[str, str]) -> dict[str, str]:
    """The key of each action. An attribute's default gives way to an action that a person gave this key."""
    chosen = {action: key for action, key in changed.items() if action in DEFAULTS}
    given = set(chosen.values())
    return {
        action: key
        for action, key in (DEFAULTS | chosen).items()
        if action in chosen or key not in given or not action.startswith("attribute_")
    }


def checked(wanted: Mapping[str, str]) -> dict[str, str]:
    """The shortcuts that differ from the defaults, in lower case. Raises Clash."""
    asked = {action: key.lower() for action, key in wanted.items() if action in DEFAULTS and action not in FIXED}
    chosen = merged({action: key for action, key in asked.items() if key != DEFAULTS[action]})
    seen: dict[str, str] = {}
    for action, key in chosen.items():
        if key in seen:
            raise Clash(key, (seen[key], action))
        seen[key] = action
    return {action: key for action, key in chosen.items() if key != DEFAULTS[action]}
