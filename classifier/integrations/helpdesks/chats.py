"""Tells a chat's greeting from its question. Pure."""

import re

_WORD = re.compile(r"[^\W\d_]+")
_WORDS = """
hi hello hey heya hiya yo howdy greetings dear there good morning afternoon evening day team all everyone support
anyone anybody is here hallo guten tag morgen abend moin servus grüß gott grüezi zusammen liebes
bonjour salut bonsoir coucou à tous hola buenas buenos días dias tardes noches ciao buongiorno buonasera salve
olá ola oi bom boa dia tarde noite hoi goedemorgen goedemiddag goedenavond goedendag hej hei god dag
привет здравствуйте добрый день доброе утро вечер cześć czesc dzień dobry witam ahoj dobrý den
merhaba selam iyi günler 你好 您好 こんにちは 안녕하세요 مرحبا السلام عليكم שלום नमस्ते
"""
_GREETINGS = frozenset(_WORDS.split())
_MOST_WORDS = 5


def is_greeting(text: str) -> bool:
    """Whether a message only opens a chat, so that the question is still to come."""
    words = _WORD.findall(text.casefold())
    return len(words) <= _MOST_WORDS and not any(map(str.isdigit, text)) and _GREETINGS.issuperset(words)
