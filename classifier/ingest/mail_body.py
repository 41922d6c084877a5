"""Reads the text of an e-mail, even of one that breaks the rules of MIME. Pure."""

import base64
import binascii
import re
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message

from classifier.ingest.message_text import html_to_text, plain_text
from classifier.ingest.readers.text_lines import detect_encoding

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]+)", re.IGNORECASE)
_META = re.compile(rb"<meta[^<>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_CODE_PAGE = re.compile(r"(?:x-)?(?:cp|ibm|win|windows|dos|ansi)[-_ ]?(\d{3,5})")
_ALIASES = {
    "iso-8859-1": "cp1252",  # as browsers read it
    "latin1": "cp1252",
    "ansi": "cp1252",
    "iso-8859-8": "cp1255",
    "iso-8859-8-i": "cp1255",
    "iso-8859-8-e": "cp1255",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "unicode-1-1-utf-7": "utf-7",
}
_NO_PROSE = {"text/calendar", "text/css", "text/directory", "text/rtf", "text/vcard", "text/x-amp-html", "text/x-vcard"}
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{40,}={0,2}\s*")
_BOUNDARY = re.compile(rb"^--([^\s-][^\r\n]{0,69}?)\s*$", re.MULTILINE)
_DEEPEST = 20
_STUB_WORDS = 0.5
"""A plain part with less than this share of the HTML's words is only a hint to read that."""


def body_text(message: Message, depth: int = 0) -> str:
    """The text that a reader sees: of alternatives the plain one, other parts below each other, without attachments."""
    kind = message.get_content_type() if "Content-Type" in message else "text/plain"
    declared = str(message.get("Content-Type", "")).strip().lower()
    if depth > _DEEPEST or (depth and _is_attachment(message)):
        return ""
    if kind == "message/rfc822" and message.is_multipart():
        inner = message.get_payload(0)
        return _joined(header_text(inner, "Subject"), body_text(inner, depth + 1)) if isinstance(inner, Message) else ""
    if message.is_multipart():
        parts = [part for part in message.get_payload() if isinstance(part, Message)]
        if kind == "multipart/alternative":
            return _best_alternative(parts, depth)
        return _joined(*(body_text(part, depth + 1) for part in parts))
    if declared.startswith("multipart/"):
        return _unmarked_parts(message, depth)
    if kind in _NO_PROSE or (not kind.startswith("text/") and declared and not declared.startswith("text")):
        return ""
    raw = _payload(message)
    if declared.startswith("text/html"):
        return html_to_text(decode(raw, _charset(message) or _meta_charset(raw)))
    return plain_text(decode(raw, _charset(message)))


def header_text(message: Message, name: str) -> str:
    """A header, decoded; empty if there is none."""
    raw = next((str(value) for header, value in message.raw_items() if header.lower() == name.lower()), "")
    data = raw.encode("utf-8", "surrogateescape")
    if "=?" not in raw:
        return " ".join(decode(data, None).split())
    try:
        pieces = decode_header(raw)
    except (HeaderParseError, binascii.Error, ValueError):
        return " ".join(raw.encode(errors="replace").decode().split())
    texts = (piece if isinstance(piece, str) else decode(piece, charset) for piece, charset in pieces)
    return " ".join(("".join(texts) or raw).split())


def decode(data: bytes, charset: str | None) -> str:
    """The text in the declared encoding, or what it looks like where that is unknown, ASCII or does not fit."""
    name = (charset or "").strip().lower()
    name = _ALIASES.get(name, name)
    if code_page := _CODE_PAGE.fullmatch(name):
        name = f"cp{code_page[1]}"
    if name and name not in ("ascii", "us-ascii"):
        try:
            return data.decode(name)
        except (LookupError, ValueError):
            pass  # names no encoding of text, or not that of this one
    return data.decode("ascii" if data.isascii() else detect_encoding(data), "replace")


def _charset(message: Message) -> str | None:
    match = _CHARSET.search(str(message.get("Content-Type", "")))
    return match[1] if match else None


def _meta_charset(raw: bytes) -> str | None:
    match = _META.search(raw[:10_000])
    return match[1].decode() if match else None


def _is_attachment(part: Message) -> bool:
    disposition = str(part.get("Content-Disposition", "")).strip().lower()
    return disposition.startswith("attachment") or (
        "filename" in disposition and "rfc822" not in part.get_content_type()
    )


def _best_alternative(parts: list[Message], depth: int) -> str:
    texts = [(part.get_content_type(), body_text(part, depth + 1)) for part in parts]
    plain = next((text for kind, text in texts if kind == "text/plain" and text.strip()), "")
    rich = next((text for kind, text in reversed(texts) if kind != "text/plain" and text.strip()), "")
    return rich if rich and len(plain.split()) < _STUB_WORDS * len(rich.split()) else plain or rich


def _unmarked_parts(message: Message, depth: int) -> str:
    """The text of a multipart message whose boundary is missing or another one."""
    raw = _payload(message)
    boundary = _BOUNDARY.search(raw)
    if not boundary:
        return plain_text(decode(raw, _charset(message)))
    kind = str(message.get("Content-Type", "")).split(";")[0].strip() or "multipart/mixed"
    head = f'Content-Type: {kind}; boundary="'.encode() + boundary[1].replace(b'"', b"") + b'"\r\n\r\n'
    repaired = message_from_bytes(head + raw)
    return body_text(repaired, depth + 1) if repaired.is_multipart() else plain_text(decode(raw, None))


def _payload(message: Message) -> bytes:
    raw = message.get_payload(decode=True)
    data = raw if isinstance(raw, bytes) else b""
    encoding = str(message.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding in ("", "7bit", "8bit", "binary") and _BASE64.fullmatch(data):
        packed = b"".join(data.split())
        try:
            unpacked = base64.b64decode(packed, validate=True)
        except binascii.Error:
            return data
        return data if b" " in data.strip() or b"\0" in unpacked else unpacked
    return data


def _joined(*texts: str) -> str:
    return "\n\n".join(text.strip() for text in texts if text.strip())
