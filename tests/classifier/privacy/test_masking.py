"""Masking removes personal data, keeps look-alikes, and takes linear time."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from classifier.privacy.masking import mask

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "ana@example.org"),
        ("email", "a.b+c_d-e@mail.ex-ample.co.uk"),
        ("email", "jürgen@müller.de"),
        ("email", "O'Brien@example.com"),
        ("phone", "+49 30 1234567"),
        ("phone", "+49 (0)30 123-45-67"),
        ("phone", "+33123456789"),
        ("phone", "+1 (555) 123-4567"),
        ("phone", "0049 30 1234567"),
        ("phone", "00491711234567"),
        ("phone", "030 1234567"),
        ("phone", "(030) 123 45 67"),
        ("phone", "0171/1234567"),
        ("phone", "0171 / 123 45 67"),
        ("phone", "020 7946 0958"),
        ("phone", "01632-960001"),
        ("phone", "01 23 45 67 89"),
        ("phone", "06.12.34.56.78"),
        ("phone", "044 668 18 00"),
        ("phone", "(555) 123-4567"),
        ("phone", "555-123-4567"),
        ("phone", "555.123.4567"),
        ("phone", "1-800-555-0199"),
        ("phone", "555-1234"),
        ("phone", "22 34 56 78"),
        ("phone", "612 345 678"),
        ("phone", "98765 43210"),
        ("phone", "01512345678"),
        ("phone", "0301234567"),
        ("phone", "０１５１ ２３４５６７８"),
        ("phone", "＋４９　３０－１２３４５６７"),
        ("phone", "٠١٥١٢٣٤٥٦٧٨"),
        ("phone", "+९१ ९८७६५ ४३२१०"),
        ("phone", "030\u2011123\u20114567"),
        ("card", "4111111111111111"),
        ("card", "4111 1111 1111 1111"),
        ("card", "4111-1111-1111-1111"),
        ("card", "3782 822463 10005"),
        ("card", "4222222222222"),
        ("card", "6304 0000 0000 0000 000"),
        ("card", "5500.0000.0000.0004"),
        ("card", "3782.822463.10005"),
        ("card", "４１１１ １１１１ １１１１ １１１１"),
        ("card", "4111１１１１11111111"),
        ("card", "٤١١١-١١١١-١١١١-١١١١"),
        ("iban", "DE89370400440532013000"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "de89 3704 0044 0532 0130 00"),
        ("iban", "GB29 NWBK 6016 1331 9268 19"),
        ("iban", "NO93-8601-1117-947"),
        ("iban", "MT84MALT011000012345MTLCAST001S"),
        ("ip", "192.168.0.1"),
        ("ip", "2001:db8::ff00:42:8329"),
        ("ip", "１９２.168.0.1"),
        ("ip", "::1"),
        ("ip", "::ffff:10.0.0.1"),
        ("ip", "2001:0db8:0000:0000:0000:ff00:0042:8329"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "My number is {}, please.", "({})", "a: {}\nThanks", "first {}. Then"])
def test_personal_data_is_masked(kind: str, value: str, around: str) -> None:
    assert mask(around.format(value)) == around.format(f"[{kind}]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I have waited since 2024-01-15.",
        "on 15.01.2024 at 12:30",
        "on 01.02.2024 12:30:11",
        "05/11/2024 or 2024/11/05 18:08",
        "Order 4711-0815 and #555-1234",
        "Order no. 123-4567890-1234567",
        "order 100245879, ticket ABC-555-1234",
        "invoice 2023-000123",
        "tracking 1Z999AA10123456784",
        "1234567890123",
        "4111 1111 1111 1112",
        "DE88370400440532013000",
        "DE8937040044053201300",
        "version 1.2.3 of app 10.0.19045, v1.2.3.4",
        "999.1.1.1 and 1.2.3.4.5 and 01.2.3.4",
        "12:30:45 and std::string and 00:1a:2b:3c:4d:5e",
        "EUR 1.234,56 and $1,234,567.00 and 1 234 567 €",
        "$555-1234",
        "+5 points, 3+4=7",
        "0.1234567 and 3.14159265",
        "10000000",
        "order 1512345678 of 15123456789",
        "order 0012345678, #01512345678, 015123456789",
        "at 1767225600 or 20260131120000",
        "5500.0000.0000.0005",
        "4111.1111.1111.1111.1111.1111",
        "build 1234.5678.9012, 2026.01.31",
        "版本１２.３，２０２６年０１月３１日 12：30",
        "me@home and @nobody and a@b",
        "1920x1080, 60 Hz, 16 GB",
        "[email] [phone] [card] [iban] [ip]",
    ],
)
def test_look_alikes_of_personal_data_are_not_masked(text: str) -> None:
    assert mask(text) == text


def test_text_around_personal_data_keeps_its_script() -> None:
    assert mask("٣ тел．０１５１－１２３４５６７８（дом）") == "٣ тел．[phone]（дом）"


def test_several_pieces_of_personal_data_in_one_text_are_masked() -> None:
    text = (
        "From: ana@example.org, ben@example.org\nPay DE89 3704 0044 0532 0130 00 and AT61 1904 3002 3457 3201, or card "
        "4111 1111 1111 1111 / 378282246310005, call +49 30 1234567 or 0171/1234567 from 10.0.0.1:8080 (fe80::1)."
    )
    assert mask(text) == (
        "From: [email], [email]\nPay [iban] and [iban], or card [card] / [card], call [phone] or [phone] from "
        "[ip]:8080 ([ip])."
    )


def test_personal_data_in_lists_without_spaces_is_masked() -> None:
    assert mask("030 1234567,030 7654321") == "[phone],[phone]"
    assert mask("555-123-4567/+49 30 1234567") == "[phone]/[phone]"
    assert mask("4111111111111111,378282246310005;10.0.0.1,::1") == "[card],[card];[ip],[ip]"


def test_a_card_is_found_among_other_groups_of_digits() -> None:
    assert mask("item 5 4111 1111 1111 1111 12") == "item 5 [card] 12"


_PARTS = (
    "ana@example.org", "@", "a@b.", "+49 30 1234567", "030 ", "1234567", "555-1234", "4111 1111 1111 1111", "-", " ",
    "4111", "0", "00", "+", "(", ")", ".", "/", ":", "::", "1", "19", "255", "10.0.0.1", "fe80::1", "0130 00", "XX11",
    "DE89 3704 0044 0532 ", "DE89370400440532013000", "[", "]", "[phone]", "ip", "x", "é", "٤", "€", "#", "_", "\n",
    "\u00a0", "=", "'", "5500.0000.0000.0004", "0151", "01512345678", "４", "＋", "．", "\u2011", "\u3000",
)  # fmt: skip
_texts = st.one_of(st.text(), st.builds("".join, st.lists(st.sampled_from(_PARTS), max_size=25)))


@given(_texts)
@example("4111 1111 1111 1111 4111 1111 1111 1111")
@example("10.0.0.1555-1234")
@example("DE893704004405320130004111111111111111")
def test_masking_twice_changes_no_more(text: str) -> None:
    masked = mask(text)
    assert mask(masked) == masked


@given(st.integers(10**11, 10**18 - 1), st.sampled_from(["", " ", "-"]), st.integers(1, 6))
def test_every_card_is_masked_that_passes_its_check(number: int, gap: str, size: int) -> None:
    digits = str(number)
    total = sum(sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(reversed(digits)))
    card = digits + str(-total % 10)
    if len(card) < 13:
        card = "4111111111111111"
    grouped = gap.join(card[at : at + size] for at in range(0, len(card), size))
    assert "[card]" in mask(f"x {grouped} x") or "[phone]" in mask(f"x {grouped} x")
    assert mask(f"x {card} x") == "x [card] x"


@given(st.sampled_from(["DE", "de", "Gb", "FR", "NO", "ZZ"]), st.integers(0, 10**30), st.sampled_from(["", " ", "-"]))
def test_every_iban_is_masked_that_passes_its_check(country: str, number: int, gap: str) -> None:
    length = {"DE": 22, "GB": 22, "FR": 27, "NO": 15}.get(country.upper(), 20)
    account = str(number).zfill(length - 4)[: length - 4]
    plain = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    iban = f"{country}{98 - int(plain) % 97:02}{account}"
    grouped = gap.join(iban[at : at + 4] for at in range(0, len(iban), 4))
    assert mask(f"to {grouped}, please") == "to [iban], please"


HOSTILE = (
    "a", "a@", "a.", "a@a.", "@", "a-", "1", "1 ", "1-", "0-", "0 0", "01 ", "00 1", "+1", "+1 ", "+(1", "(", "(0",
    "1.", "1.1.1.1", "::", "a:", "1:1.", "AA11", "AA11 ", "DE89 ", "XX11 1A ", "4111 ", "2 22 22 ", "555-", "[ip]",
    "é@é.", "٤ ", "()", "4111.", "0１", "．", "01512345678 ",
)  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_time_grows_with_the_text_and_no_faster(part: str) -> None:
    def seconds_for(size: int) -> float:
        text = "+" + part * (size // len(part)) + "!"
        start = time.process_time()
        mask(text)
        return time.process_time() - start

    # Twenty times the text: quadratic time would be four hundred times as much.
    assert seconds_for(100_000) < 100 * max(min(seconds_for(5_000), seconds_for(5_000)), 0.001)
