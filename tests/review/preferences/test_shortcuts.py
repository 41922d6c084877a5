"""The keys of the review screen: each action has one of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.models import shortcuts
from review.models.shortcuts import DEFAULTS, Clash, checked, usable

pressed = st.characters().filter(usable)


def test_every_action_has_a_key_of_its_own_to_begin_with() -> None:
    assert len(set(DEFAULTS.values())) == len(DEFAULTS)
    assert all(usable(key) for action, key in DEFAULTS.items() if action not in shortcuts.FIXED)
    assert {f"category_{n}" for n in range(1, shortcuts.NUMBERED + 1)} <= DEFAULTS.keys()
    assert {f"sentiment_{n}" for n in range(1, shortcuts.LETTERED + 1)} <= DEFAULTS.keys()


@pytest.mark.parametrize("key", ["", " ", "\t", "\n", "ab", "Enter", "\x00", "\u200b", "İ"])
def test_a_shortcut_is_a_single_visible_character(key: str) -> None:
    assert not usable(key)


def test_only_what_is_changed_is_kept() -> None:
    assert checked({"skip": "d", "undo": "u"}) == {"skip": "d"}


def test_two_keys_may_change_places() -> None:
    assert checked({"skip": "u", "undo": "s"}) == {"skip": "u", "undo": "s"}


def test_a_key_that_stands_for_something_else_is_refused_with_both_actions() -> None:
    with pytest.raises(Clash) as clash:
        checked({"skip": "u"})
    assert clash.value.key == "u"
    assert set(clash.value.actions) == {"skip", "undo"}


def test_letters_count_in_lower_case_for_shift_changes_nothing() -> None:
    assert checked({"skip": "D"}) == {"skip": "d"}
    with pytest.raises(Clash):
        checked({"skip": "U"})


def test_the_key_that_presses_buttons_stays_and_unknown_actions_are_nothing() -> None:
    assert checked({"submit": "m", "dance": "d"}) == {}


@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), pressed))
def test_whatever_is_wanted_no_two_actions_get_one_key(wanted: dict[str, str]) -> None:
    try:
        chosen = DEFAULTS | checked(wanted)
    except Clash:
        keys_wanted = [key.lower() for key in (DEFAULTS | wanted).values()]
        assert len(set(keys_wanted)) < len(keys_wanted)
    else:
        assert len(set(chosen.values())) == len(DEFAULTS)
        assert all(usable(key) for action, key in chosen.items() if action not in shortcuts.FIXED)
