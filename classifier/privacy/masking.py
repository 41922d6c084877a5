"""Masks e-mail addresses, phone numbers, cards, IBANs and IP addresses in texts. Pure.

Lookalikes stay: a card must pass the Luhn check (ISO/IEC 7812-1), an IBAN the length of its country and ISO 7064 MOD
97-10 (ISO 13616), and Python must parse an IP address. Digits of every script and full-width signs are recognized.
Names, streets and numbers in words are not found. Time is linear in the length of any text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from itertools import accumulate

KINDS = ("email", "phone", "card", "iban", "ip")

PersonalDataSpan = tuple[int, int, str]
"""Start, end and kind."""

# A mark counts as part of a word, so that masking a second time changes nothing.
_START = r"(?<!\w)" + "".join(rf"(?<!\[{kind}\])" for kind in KINDS)
_MARK = rf"\[(?:{'|'.join(KINDS)})\]"
_END = rf"(?!\w|{_MARK})"
_NOT_AFTER_POINT = r"(?<![\d\]]\.)"  # else it is the rest of a longer number
_NOT_BEFORE_POINT = rf"(?!\.(?:\d|{_MARK}))"


def mask(text: str) -> str:
    """The text with personal data replaced by [email], [iban], [ip], [card] and [phone]. Idempotent."""
    plain = _plain(text)
    for kind, look in _LOOKS:
        if marks := [(start, end, f"[{kind}]") for start, end in look(plain)]:
            text, plain = _replaced(text, marks), _replaced(plain, marks)
    return text


def replace_personal_data(text: str, mark: Callable[[str, str], str]) -> str:
    """The text with each piece of personal data replaced by `mark(kind, value)`, called in order."""
    spans = find_personal_data(text)
    return _replaced(text, ((start, end, mark(kind, text[start:end])) for start, end, kind in spans))


def find_personal_data(text: str) -> list[PersonalDataSpan]:
    """The personal data in the text, in order and without overlaps.

    Each kind is searched in the text with the marks of the previous kinds.
    """
    spans: list[PersonalDataSpan] = []
    left = plain = _plain(text)
    for kind, look in _LOOKS:
        if fresh := list(look(left)):
            spans = sorted(spans + [(start, end, kind) for start, end in _in_original(fresh, spans)])
            left = _replaced(plain, ((start, end, f"[{kind}]") for start, end, kind in spans))
    return spans


def _in_original(marked: Sequence[tuple[int, int]], replaced: Sequence[PersonalDataSpan]) -> Iterator[tuple[int, int]]:
    """Converts spans of the marked text to spans of the original; none overlaps a mark."""
    longer, passed = 0, 0
    for start, end in marked:
        while passed < len(replaced) and replaced[passed][0] < start + longer:
            before, after, kind = replaced[passed]
            longer += (after - before) - len(f"[{kind}]")
            passed += 1
        yield start + longer, end + longer


def _replaced(text: str, marks: Iterable[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, mark in marks:
        pieces += (text[done:start], mark)
        done = end
    return "".join((*pieces, text[done:])) if pieces else text


_SIGNS = dict(zip("\uff0b\uff0d\uff0e\uff0f\uff1a\uff08\uff09\u3000\u2010\u2011", "+-./:() --", strict=True))
_BEYOND_LATIN = re.compile("[\u0660-\U0010ffff]")  # from the first digit that is not of ASCII
_FOREIGN_SIGN = re.compile(f"[{''.join(_SIGNS)}]")
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")


def _plain(text: str) -> str:
    """The text with digits and signs converted to ASCII, so that positions stay the same."""
    if not _BEYOND_LATIN.search(text):
        return text
    text = _FOREIGN_SIGN.sub(lambda sign: _SIGNS[sign[0]], text)
    return _FOREIGN_DIGIT.sub(lambda digit: str(int(digit[0])), text)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _EMAIL.finditer(text)) if "@" in text else iter(())


def _matches(pattern: re.Pattern[str], text: str, accepted: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    return (match.span() for match in pattern.finditer(text) if accepted(match[0]))


# Possessive, and anchored at the start of a run, so that a long run is read only once.
_EMAIL = re.compile(
    _START + r"(?<![.!#$%&*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]++(?<=[^.])@(?=[\w-]++\.[\w-])[\w-]++(?:\.[\w-]++)++"
)

# Internet addresses

_IPV4 = re.compile(rf"{_START}{_NOT_AFTER_POINT}\d{{1,3}}(?:\.\d{{1,3}}){{3}}{_NOT_BEFORE_POINT}{_END}", re.ASCII)
_IPV6 = re.compile(
    rf"{_START}(?<![:.])(?=[0-9A-Fa-f]{{0,4}}:)[0-9A-Fa-f:.]{{2,45}}(?<!\.)(?!\.*(?:[0-9A-Fa-f:]|{_MARK})){_END}"
)


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return text != "::"


# Bank accounts

_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FK FO GL NL SD",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ DZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HN HU LB NI PL SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}
"""Characters of an IBAN by country, after the registry that SWIFT keeps; elsewhere any length goes that checks."""
_SHORTEST, _LONGEST = 15, 34
_IBAN_START = re.compile(rf"{_START}[A-Za-z]{{2}}[0-9]{{2}}(?=[ \u00a0-]?[A-Za-z0-9])")
_IBAN_TAIL = re.compile(rf"(?:[ \u00a0-]?[A-Za-z0-9]){{1,{_LONGEST - 4}}}")
_IBAN_END = re.compile(_END)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for match in _IBAN_START.finditer(text):
        if match.start() >= done and (end := _iban_end(text, match.start(), match.end())):
            yield match.start(), end
            done = end


def _iban_end(text: str, start: int, tail: int) -> int:
    """Where the longest IBAN ends that begins at `start`, its account at `tail`; 0 if there is none."""
    wanted = _LENGTHS.get(text[start : start + 2].upper())
    check = int("".join(str(int(character, 36)) for character in text[start:tail]))
    end, rest, length = 0, 0, 4
    account = _IBAN_TAIL.match(text, tail)
    for at in range(tail, account.end() if account else tail):
        if not text[at].isalnum():
            continue
        value = int(text[at], 36)
        rest = (rest * (10 if value < 10 else 100) + value) % 97
        length += 1
        if (length == wanted or (wanted is None and length >= _SHORTEST)) and (
            (rest * 1_000_000 + check) % 97 == 1 and _IBAN_END.match(text, at + 1)
        ):
            end = at + 1
    return end


# Payment cards

_GROUPED = re.compile(rf"{_START}{_NOT_AFTER_POINT}\d+(?:[ \u00a0-]\d+)*{_END}")
_GROUP = re.compile(r"\d+")
_FEWEST, _MOST = 13, 19
_DOTTED = re.compile(rf"{_START}{_NOT_AFTER_POINT}[1-9]\d{{3}}(?:\.\d{{3,6}}){{2,4}}{_NOT_BEFORE_POINT}{_END}")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _GROUPED.finditer(text):
        if match.end() - match.start() >= _FEWEST:
            start, end = match.span()
            yield from _cards_among(match[0], start, text[max(start - 2, 0) : start], text[end : end + 2])


def _is_card(text: str) -> bool:
    digits = text.replace(".", "")
    doubled = sum(_DOUBLED[int(digit)] if at % 2 else int(digit) for at, digit in enumerate(reversed(digits)))
    return _FEWEST <= len(digits) <= _MOST and doubled % 10 == 0


def _cards_among(run: str, offset: int, before: str, after: str) -> Iterator[tuple[int, int]]:
    """The cards in a run of grouped digits: one or more whole groups each, never beginning with a zero.

    Groups are only parted at spaces: what hangs together by hyphens is one number, such as an order's, and that holds
    for a mark `before` or `after` the run as well. After a + the first group is a country's code.
    """
    digits = [int(character) for character in run if character.isdigit()]
    # Running Luhn sums: one for cards that end on an odd digit, one for even.
    sums = [
        list(accumulate((_DOUBLED[digit] if at % 2 == parity else digit for at, digit in enumerate(digits)), initial=0))
        for parity in (0, 1)
    ]
    groups = [match.span() for match in _GROUP.finditer(run)]
    sizes = list(accumulate((end - start for start, end in groups), initial=0))
    # Whether a card may begin or end before each group, and after the last.
    parted = [before != "]-" and before[-1:] != "+", *(run[end] != "-" for _, end in groups[:-1]), after != "-["]
    first = 0
    while first < len(groups):
        last = _last_group(sizes, sums, parted, first) if parted[first] and digits[sizes[first]] else first
        if last > first:
            yield offset + groups[first][0], offset + groups[last - 1][1]
        first = max(last, first + 1)


def _last_group(sizes: list[int], sums: list[list[int]], parted: list[bool], first: int) -> int:
    """One past the last group of the longest card that begins with group `first`; `first` if there is none."""
    longest, start = first, sizes[first]
    for last in range(first + 1, min(first + _MOST, len(sizes) - 1) + 1):
        end = sizes[last]
        if end - start > _MOST:
            break
        if parted[last] and end - start >= _FEWEST and (sums[end % 2][end] - sums[end % 2][start]) % 10 == 0:
            longest = last
    return longest


# Telephones

_GAP = r"[ \u00a0./-]"
_MORE = r"(?:[ \u00a0()./-]{0,3}\d)"
_INTERNATIONAL = (
    rf"\+(?:\(\d{{1,3}}\)|[1-9]){_MORE}{{6,14}}",
    rf"00[1-9](?=\d{{0,12}}{_GAP}){_MORE}{{6,14}}",  # with gaps, since a long number may begin with zeros too
    r"00[1-9]\d{9,14}",
)
_NATIONAL = (
    r"\(0?[1-9]\d{1,4}\)[ \u00a0/-]{0,3}\d(?:[ \u00a0/-]?\d){4,9}",
    rf"0[1-9]\d{{0,4}}(?:{_GAP}|[ \u00a0][/-][ \u00a0])\d(?:{_GAP}?\d){{3,11}}",
    r"0[1-9]\d{8,9}",
    r"(?:1[ \u00a0.-])?[2-9]\d\d[ \u00a0.-]\d{3}[ \u00a0.-]\d{4}",
    r"[2-9]\d\d-\d{4}",
    r"[2-9]\d(?:[ \u00a0]\d\d){3}",
    r"[5-9]\d\d(?:[ \u00a0-]\d{3}[ \u00a0-]\d{3}|[ \u00a0]\d\d[ \u00a0]\d\d[ \u00a0]\d\d)",
    r"[6-9]\d{4}[ \u00a0]\d{5}",
)
"""With an area code in brackets or with a zero, the latter without a gap too; of North America; of Scandinavia; of
Iberia and Poland; of India. Other numbers without a gap may as well be those of orders.
"""
_MONEY = "€$£¥₹%"
# National numbers look like other numbers: none may touch a digit, a currency sign or an order's #.
_PHONE = re.compile(
    rf"{_START}(?:(?<!\+)(?:{'|'.join(_INTERNATIONAL)})"
    rf"|(?<![#№+_{_MONEY}-])(?<![{_MONEY}] )(?<![\d\]][.:])(?:{'|'.join(_NATIONAL)})"
    rf"(?![.:-](?:\d|{_MARK}))(?! ?[{_MONEY}])){_END}"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = re.compile(rf"{_DAY}([ ./-]){_DAY}\1(?:19|20)\d\d(?!\d)")


def _is_phone(text: str) -> bool:
    return 7 <= sum(map(str.isdigit, text)) <= 17 and not _DATE.match(text)


_LOOKS: Sequence[tuple[str, Callable[[str], Iterator[tuple[int, int]]]]] = (
    ("email", _emails),
    ("iban", _ibans),
    ("ip", lambda text: _matches(_IPV6, text, _is_ipv6)),
    ("ip", lambda text: _matches(_IPV4, text, _is_ipv4)),
    ("card", _cards),
    ("card", lambda text: _matches(_DOTTED, text, _is_card)),
    ("phone", lambda text: _matches(_PHONE, text, _is_phone)),
)
