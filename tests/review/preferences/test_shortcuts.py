"""Keyboard shortcuts of the review screen: each action has its own key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.models import Category, Sentiment
from review.models import shortcuts
from review.models.shortcuts import DEFAULTS, Clash, checked, usable

pressed = st.characters().filter(usable)


def test_every_action_has_a_different_default_shortcut() -> None:
    assert len(set(DEFAULTS.values())) == len(DEFAULTS)
    assert all(usable(key) for action, key in DEFAULTS.items() if action not in shortcuts.FIXED)
    assert {f"category_{n}" for n in range(1, Category.MOST_SHORTCUTS + 1)} <= DEFAULTS.keys()
    assert {f"sentiment_{n}" for n in range(1, Sentiment.MOST_SHORTCUTS + 1)} <= DEFAULTS.keys()


@pytest.mark.parametrize("key", ["", " ", "\t", "\n", "ab", "Enter", "\x00", "\u200b", "İ"])
def test_a_shortcut_is_a_single_visible_character(key: str) -> None:
    assert not usable(key)


def test_checked_shortcuts_keep_only_changes() -> None:
    assert checked({"skip": "d", "undo": "u"}) == {"skip": "d"}


def test_two_shortcuts_may_be_swapped() -> None:
    assert checked({"skip": "u", "undo": "s"}) == {"skip": "u", "undo": "s"}


def test_clash_names_both_actions() -> None:
    with pytest.raises(Clash) as clash:
        checked({"skip": "u"})
    assert clash.value.key == "u"
    assert set(clash.value.actions) == {"skip", "undo"}


def test_letters_are_compared_in_lower_case() -> None:
    assert checked({"skip": "D"}) == {"skip": "d"}
    with pytest.raises(Clash):
        checked({"skip": "U"})


def test_an_attributes_default_gives_way_to_another_action() -> None:
    changed = checked({"skip": "v", "attribute_1": "v"})
    assert changed == {"skip": "v"}
    assert "attribute_1" not in shortcuts.merged(changed)


def test_fixed_shortcuts_and_unknown_actions_cannot_be_changed() -> None:
    assert checked({"submit": "m", "dance": "d"}) == {}


@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), pressed))
def test_no_two_actions_ever_share_a_shortcut(wanted: dict[str, str]) -> None:
    try:
        chosen = shortcuts.merged(checked(wanted))
    except Clash:
        keys_wanted = [key.lower() for key in (DEFAULTS | wanted).values()]
        assert len(set(keys_wanted)) < len(keys_wanted)
    else:
        assert len(set(chosen.values())) == len(chosen)
        assert all(action in chosen for action in DEFAULTS if not action.startswith("attribute_"))
        assert all(usable(key) for action, key in chosen.items() if action not in shortcuts.FIXED)
