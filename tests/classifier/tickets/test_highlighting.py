"""Highlighting words never changes or unescapes the text."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.templatetags.highlighting import marked
from classifier.tickets import highlighting
from classifier.tickets.highlighting import Piece

TEXT = "I was charged twice."
spans = st.lists(
    st.one_of(
        st.tuples(st.integers(-5, 60), st.integers(-5, 60)),
        st.lists(st.integers() | st.none() | st.text(max_size=2) | st.floats(), max_size=4),
        st.text(max_size=2),
        st.none(),
    ),
    max_size=8,
)


def cut(*of_text: object) -> list[Piece]:
    return highlighting.split_at_spans(TEXT, of_text)


def test_the_words_of_the_spans_are_marked_and_nothing_else_is() -> None:
    assert cut([6, 13], [14, 19]) == [
        ("I was ", False),
        ("charged", True),
        (" ", False),
        ("twice", True),
        (".", False),
    ]


def test_without_spans_the_text_is_one_piece() -> None:
    assert cut() == [(TEXT, False)]


def test_spans_may_come_in_any_order_and_overlap() -> None:
    assert cut([10, 19], [6, 13], [14, 16]) == [("I was ", False), ("charged twice", True), (".", False)]


@pytest.mark.parametrize("span", [[6, 5], [6, 6], [400, 500], [-9, 0], [-5, -1]])
def test_a_span_that_holds_nothing_of_the_text_marks_nothing(span: list[int]) -> None:
    assert cut(span) == [(TEXT, False)]


@pytest.mark.parametrize(
    ("span", "word"), [([14, 10**30], "twice."), ([-(10**30), 1], "I"), ([-1, 999], TEXT)], ids=["end", "begin", "all"]
)
def test_a_span_beyond_the_text_is_marked_up_to_its_end(span: list[int], word: str) -> None:
    assert [piece.text for piece in cut(span) if piece.marked] == [word]


@pytest.mark.parametrize("junk", [None, 5, "ab", [], [1], [1, 2, 3], [1, None], ["1", "2"], [1.0, 4.0], {"begin": 1}])
def test_invalid_spans_mark_nothing(junk: object) -> None:
    assert cut(junk) == [(TEXT, False)]


@given(st.text(max_size=50), spans)
def test_pieces_always_add_up_to_the_text(text: str, stored: list[object]) -> None:
    pieces = highlighting.split_at_spans(text, stored)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    assert all(piece.marked != following.marked for piece, following in zip(pieces, pieces[1:], strict=False))


@given(st.text(alphabet="<>&\"'/mark bi\u202e", max_size=50), spans)
def test_markup_in_the_text_is_always_escaped(text: str, stored: list[object]) -> None:
    html = marked(text, stored)
    plain = re.sub("</?mark>", "", html)
    assert not set(plain) & set("<>\"'")
    assert unescape(plain) == text
    assert html.count("<mark>") == html.count("</mark>")


def test_each_highlighted_word_is_listed_once_in_text_order() -> None:
    text = "Charged twice, charged again, TWICE charged"
    stored = [[30, 35], [36, 43], [15, 22], [8, 13], [0, 7]]
    assert highlighting.highlighted_words(text, stored) == ["Charged", "twice"]


def test_an_endless_highlighted_word_is_shortened() -> None:
    (word,) = highlighting.highlighted_words("x" * 900, [[0, 900]])
    assert word == "x" * highlighting.LONGEST_WORD + "..."
