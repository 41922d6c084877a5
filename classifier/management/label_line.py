"""Formats a label as one line of command output."""

from classifier.text import excerpt

EXCERPT = 44


def label_line(auto_accepted: bool, category: str, sentiment: str, text: str) -> str:
    """For example `[OK] Technical | Negative | My SAML SSO stopped working after the weeken...`."""
    return f"[{'OK' if auto_accepted else 'REVIEW'}] {category} | {sentiment} | {excerpt(text, EXCERPT)}"
