"""Sixty replies as eight mail programs write them, in six languages: what is new in each, and the whole message."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from classifier.ingest.message_text import html_to_text


class Thread(NamedTuple):
    name: str
    subject: str
    text: str
    new: str


class Language(NamedTuple):
    """Words of a language: what the customer writes now, what stood before, and what mail programs say."""

    new: str
    old: str
    prefix: str
    intro: str
    headers: tuple[str, str, str, str]
    original: str
    footer: str
    forwarded: str


LANGUAGES = {
    "en": Language(
        "Thanks, it works now!\nCould you also send me the invoice for May?",
        "We have reset your password.\nPlease try again.",
        "Re:",
        "On Mon, 4 May 2026 at 10:00, Help Desk <help@example.com> wrote:",
        ("From", "Sent", "To", "Subject"),
        "Original Message",
        "Sent from my iPhone",
        "---------- Forwarded message ---------",
    ),
    "de": Language(
        "Danke, es geht wieder!\nKönnten Sie mir noch die Rechnung für Mai schicken?",
        "Wir haben Ihr Passwort zurückgesetzt.\nBitte versuchen Sie es erneut.",
        "AW:",
        "Am Mo., 4. Mai 2026 um 10:00 Uhr schrieb Hilfe <hilfe@example.com>:",
        ("Von", "Gesendet", "An", "Betreff"),
        "Ursprüngliche Nachricht",
        "Von meinem iPhone gesendet",
        "-------- Weitergeleitete Nachricht --------",
    ),
    "fr": Language(
        "Merci, ça marche !\nPourriez-vous aussi m’envoyer la facture de mai ?",
        "Nous avons réinitialisé votre mot de passe.\nVeuillez réessayer.",
        "RE :",
        "Le lun. 4 mai 2026 à 10:00, Assistance <aide@example.com> a écrit :",
        ("De", "Envoyé", "À", "Objet"),
        "Message d'origine",
        "Envoyé de mon iPhone",
        "---------- Message transféré ---------",
    ),
    "es": Language(
        "¡Gracias, ya funciona!\n¿Me podría enviar también la factura de mayo?",
        "Hemos restablecido su contraseña.\nInténtelo de nuevo.",
        "RE:",
        "El lun, 4 may 2026 a las 10:00, Ayuda (<ayuda@example.com>) escribió:",
        ("De", "Enviado el", "Para", "Asunto"),
        "Mensaje original",
        "Enviado desde mi iPhone",
        "---------- Mensaje reenviado ---------",
    ),
    "it": Language(
        "Grazie, ora funziona!\nPotreste mandarmi anche la fattura di maggio?",
        "Abbiamo reimpostato la password.\nRiprovi, per favore.",
        "R:",
        "Il giorno lun 4 mag 2026 alle ore 10:00 Assistenza <aiuto@example.com> ha scritto:",
        ("Da", "Inviato", "A", "Oggetto"),
        "Messaggio originale",
        "Inviato da iPhone",
        "---------- Messaggio inoltrato ---------",
    ),
    "nl": Language(
        "Bedankt, het werkt weer!\nKunt u mij ook de factuur van mei sturen?",
        "We hebben uw wachtwoord opnieuw ingesteld.\nProbeer het nog eens.",
        "Antw:",
        "Op ma 4 mei 2026 om 10:00 schreef Helpdesk <hulp@example.com>:",
        ("Van", "Verzonden", "Aan", "Onderwerp"),
        "Oorspronkelijk bericht",
        "Verstuurd vanaf mijn iPhone",
        "---------- Doorgestuurd bericht ---------",
    ),
}


def html(text: str) -> str:
    return "<br>".join(text.split("\n"))


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.split("\n"))


def headers(words: Language, bold: bool = False) -> str:
    values = ("Help Desk <help@example.com>", "4 May 2026 10:00", "Ann Example <ann@example.com>", "Password")
    around = "<b>{}:</b> {}" if bold else "{}: {}"
    return "\n".join(around.format(name, value) for name, value in zip(words.headers, values, strict=True))


def gmail(words: Language) -> str:
    return html_to_text(
        f"<div dir=ltr>{html(words.new)}</div><br><div class='gmail_quote gmail_quote_container'><div dir=ltr "
        f"class=gmail_attr>{words.intro.replace('<', '&lt;')}<br></div><blockquote class=gmail_quote "
        f"style='margin:0 0 0 .8ex'>{html(words.old)}</blockquote></div>"
    )


def gmail_plain(words: Language) -> str:
    half = len(words.intro) // 2
    at = words.intro.index(" ", half)
    return f"{words.new}\n\n{words.intro[:at]}\n{words.intro[at + 1 :]}\n\n{quoted(words.old)}\n"


def outlook(words: Language) -> str:
    block = html(headers(words, bold=True).replace(" <", " &lt;"))
    return html_to_text(
        f"<html><head><style>p{{}}</style></head><body><div class=WordSection1><p>{html(words.new)}</p><p>&nbsp;</p>"
        f"<div><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p>{block}</p></div></div>"
        f"<p>{html(words.old)}</p></div></body></html>"
    )


def outlook_plain(words: Language) -> str:
    return f"{words.new}\r\n\r\n-----{words.original}-----\r\n{headers(words)}\r\n\r\n{words.old}\r\n"


def outlook_mobile(words: Language) -> str:
    footer = "Outlook for iOS"
    return f"{words.new}\n\nGet {footer}<https://aka.ms/x>\n{'_' * 32}\n{headers(words)}\n\n{words.old}\n"


def apple(words: Language) -> str:
    return html_to_text(
        f"<body>{html(words.new)}<br id=lineBreakAtBeginning><div dir=ltr>{words.footer}</div><div dir=ltr><br>"
        f"<blockquote type=cite>{words.intro.replace('<', '&lt;')}<br><br></blockquote></div><blockquote type=cite>"
        f"<div dir=ltr>{html(words.old)}</div></blockquote></body>"
    )


def thunderbird(words: Language) -> str:
    return f"{words.intro}\n{quoted(words.old)}\n\n{words.new}\n\n-- \nAnn Example\nExample Ltd\n+44 20 7946 0000\n"


def yahoo(words: Language) -> str:
    return html_to_text(
        f"<div><div dir=ltr>{html(words.new)}</div><div id=yahoo_quoted_1 class=yahoo_quoted><div>"
        f"<div>{words.intro.replace('<', '&lt;')}</div><div><br></div><div>{html(words.old)}</div></div></div></div>"
    )


PROGRAMS: dict[str, Callable[[Language], str]] = {
    "Gmail": gmail,
    "Gmail, plain": gmail_plain,
    "Outlook": outlook,
    "Outlook, plain": outlook_plain,
    "Outlook for phones": outlook_mobile,
    "Apple Mail": apple,
    "Thunderbird": thunderbird,
    "Yahoo": yahoo,
}


def inline(words: Language) -> Thread:
    """Answers between the quoted lines."""
    old, new = words.old.split("\n"), words.new.split("\n")
    text = f"{words.intro}\n> {old[0]}\n\n{new[0]}\n\n> {old[1]}\n\n{new[1]}\n"
    return Thread("inline", words.prefix, text, f"{new[0]}\n\n{new[1]}")


def forwarded(words: Language) -> Thread:
    """A message of somebody else that the customer asks about: all of it counts."""
    text = f"{words.new}\n\n{words.forwarded}\n{headers(words)}\n\n{words.old}"
    return Thread("forwarded", "Fwd:", text, text)


def threads() -> Iterator[Thread]:
    for language, words in LANGUAGES.items():
        for program, shape in PROGRAMS.items():
            yield Thread(f"{program} ({language})", f"{words.prefix} Password", shape(words), words.new)
        for special in (inline(words), forwarded(words)):
            yield special._replace(name=f"{special.name} ({language})", subject=f"{special.subject} Password")
