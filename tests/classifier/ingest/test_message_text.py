"""Mail and HTML become the text that the customer wrote."""

import time

import pytest

from classifier.ingest.message_text import html_to_text

pytestmark = pytest.mark.once

HTML = [
    ("<p>one</p><p>two</p>", "one\n\ntwo"),
    ("a<br>b<BR/>c", "a\nb\nc"),
    ("<style>p{}</style><script>alert(1)</script>seen", "seen"),
    ("2 &lt; 3 &amp; &eacute;&nbsp;x", "2 < 3 & é x"),
    ("<ul><li>one<li>two</ul>", "one\ntwo"),
    ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
    ("never <b>closed", "never closed"),
    ("<b>bo</b>ld", "bold"),
    ("</script>after", "after"),
    ("a < b", "a < b"),
    ("<!-- hidden -->x", "x"),
    ("", ""),
    ("<html><head><title>T</title><p>seen</p><div>too</div>", "seen\n\ntoo"),
    ("<head><meta charset=utf-8><body>ünïcode", "ünïcode"),
    ("<?xml version='1.0' encoding='latin1'?><p>ü</p>", "ü"),
    ("<table><tr><td>Order</td><td>A-17</td></tr><tr><td>Problem<td>Login</table>", "Order A-17\nProblem Login"),
    ("<td>a</td><td>b</td>", "a b"),
    ("<dl><dt>Order<dd>A-17<dt>Problem<dd>Login</dl>", "Order\nA-17\nProblem\nLogin"),
    ("<section>one</section><article>two</article>", "one\ntwo"),
    ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
    ("<div style='display:none'>hidden</div>seen", "seen"),
    ("<div style='color:red; DISPLAY : none !important'>hidden</div>seen", "seen"),
    ("<div style='max-height:0px;overflow:hidden'>hidden</div><p style='opacity: 0'>too</p>seen", "seen"),
    ("<span style='visibility:hidden'>hidden</span><div style='opacity:0.9;max-height:0.5em'>seen</div>", "seen"),
    ("before <span hidden>hidden</span> after", "before after"),
    ("<div>new</div><blockquote type=cite><p>a</p>b</blockquote>below", "new\n\n> a\n>\n> b\n>\nbelow"),
    ("<blockquote style='margin-left:40px'>indented</blockquote>", "indented"),
    ("<img src='data:image/png;base64," + "A" * 1_500_000 + "'>seen", "seen"),
]


@pytest.mark.parametrize(("html", "text"), HTML)
def test_html_becomes_what_a_reader_sees(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "text",
    ["<div>" * 200_000, "<p hidden>x" * 90_000] + ["<a " + " ".join(f"a{number}" for number in range(140_000)) + ">x"],
)
def test_any_text_is_processed_quickly(text: str) -> None:
    begun = time.process_time()
    html_to_text(text)
    assert time.process_time() - begun < 20
