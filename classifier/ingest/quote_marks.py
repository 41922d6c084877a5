"""The marks by which mail programs show what they quote, in their languages. Pure."""

import re

_ANY = re.IGNORECASE

# Headers of a quoted message, as in "From: Help <help@example.com>"; programs set them in bold too.
_LABELS = {
    "from": "from|von|de|da|van|från|fra|od|от|lähettäjä|feladó|expéditeur|remitente|mittente|kimden"
    "|发件人|寄件者|差出人|보낸 ?사람",
    "date": "sent|date|gesendet|datum|envoyé|enviado(?: el| em)?|fecha|data|inviato|verzonden|skickat|dato|sendt"
    "|wysłano|data wysłania|odesláno|отправлено|дата|lähetetty|elküldve|gönderildi|tarih|gönderilme tarihi"
    "|发送时间|日期|寄件日期|送信日時|日付|보낸 ?날짜",
    "to": "to|an|à|para|a|aan|till|til|do|komu|кому|vastaanottaja|címzett|kime|cc|kopie|kopia|copie|копия"
    "|收件人|收件者|宛先|받는 ?사람",
    "subject": "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|temat|předmět|тема|aihe|tárgy|konu"
    "|主题|主旨|件名|제목",
}
HEADER_KINDS = {kind: re.compile(rf"[*_\s]*(?:{names})[*_\s]*[::]", _ANY) for kind, names in _LABELS.items()}
HEADER = re.compile(rf"[*_\s]*(?:{'|'.join(_LABELS[kind] for kind in ('from', 'date'))})[*_\s]*[::]", _ANY)

# "-----Original Message-----"
_ORIGINAL = (
    "original[ -](?:message|nachricht|mail|appointment|e-?mail)|ursprüngliche(?: nachricht|r termin)"
    "|message d['’]origine|(?:mail|message|courriel) original|mensaje original|mensagem original"
    "|messaggio originale|oorspronkelijk bericht|ursprungligt meddelande|originalmeddelande|oprindelig (?:meddelelse"
    "|besked)|opprinnelig melding|alkuperäinen viesti|eredeti üzenet|wiadomość oryginalna|oryginalna wiadomość"
    "|původní (?:zpráva|e-mail)|исходное сообщение|orijinal mesaj|özgün ileti"
    "|原始邮件|原始郵件|元のメッセージ|원본 메시지"
)
SEPARATOR = re.compile(rf"[-–—_=*\s]{{2,}}(?:{_ORIGINAL})[-–—_=*\s]{{2,}}:?$", _ANY)

# "On Mon, 4 May 2026 at 10:00, Help <help@example.com> wrote:"
_WROTE = (
    r"\bwrote|\bschrieb(?: .{0,150})?|\ba écrit|\bescribió|\bescreveu(?: .{0,150})?|\bha scritto"
    r"|\bschreef(?: .{0,150})?|geschreven|\bskrev(?: .{0,150})?|\bnapisał(?:\(?a\)?)?|\bpisze|\bnapsal(?:\(?a\)?)?"
    r"|\bkirjoitti|\bírta(?: .{0,150})?|\b(?:пишет?|писал(?:\(?а\)?)?|написа(?:в|ла|л(?:\(?а\)?)?))|\byazdı"
    r"|\ba scris|写道|寫道|のメール|書きました|작성|\d年.{0,150}<\S+@\S+>|\bέγραψε|ने लिखा|\bđã viết|\bmenulis"
    r"|تمت كتابة ما يلي بواسطة .{0,150}|\bكتب|מאת .{0,150}|\bכתב(?:/ה)?"
)
INTRO_END = re.compile(rf"(?:{_WROTE})(?: ?[::]| -{{2,}})$", _ANY)
INTRO_START = re.compile(
    r"(?:-+ ?)?(?:on|am|le|el|em|no dia|il(?: giorno)?|op|den|w dniu|dnia|dne|vào|mån|tis|ons|tor|fre|lör|sön"
    r"|ma|di|wo|do|vr|za|zo|пн|вт|ср|чт|пт|сб|вс|\d{1,4}(?:[.년年/ -]|\b))[ ,.\d年]",
    _ANY,
)
EVIDENCE = re.compile(r"[\w.+-]@\w|\b(?:19|20)\d\d\b|\d年|\b\d{1,2}[:.h]\d\d\b")
"""What a program's own introduction names: an address, a year or a time."""

BELOW_IS_QUOTED = re.compile(
    r"reply above this line|antwort über dieser zeile|oberhalb dieser (?:zeile|linie)|réponse au-dessus de cette ligne"
    r"|(?:encima|arriba) de esta línea|acima desta linha|sopra (?:a )?questa (?:linea|riga)|boven deze (?:regel|lijn)",
    _ANY,
)
"""A help desk's line in the message that it has sent."""

_FORWARDED = "forward|weitergeleitet|weiterleitung|transféré|réexpédié|reenviado|encaminhad|inoltrat|doorgestuurd"
_FORWARDED += "|vidarebefordra|videresend|przekazan|пересыла|пересланн|转发|転送"
FORWARD = re.compile(rf"^-.*(?:{_FORWARDED})|^[^:]*(?:{_FORWARDED})[^:]*:$", _ANY)
FORWARD_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc|i|doorst|vb|vs|pd|转发|轉寄)\s?[::]", _ANY)
REPLY_SUBJECT = re.compile(r"\s*(?:re|aw|antw?|sv|rif|ref|odp|r|vá|ynt|回复|答复|回覆)\s?(?:\[\d+\])?[::]", _ANY)

MOBILE_FOOTER = re.compile(
    r"(?:sent (?:from|with|via|using) (?:my |the |yahoo|outlook|proton|gmail|mail|samsung|an? |workspace|windows)"
    r"|get outlook for |download outlook|von meine[mr] .{2,40} gesendet|gesendet (?:von|mit|über|aus) (?:meine"
    r"|der |outlook|mail|proton|yahoo|samsung|gmx|web)|diese nachricht wurde von meinem "
    r"|(?:holen|laden) sie (?:sich )?outlook"
    r"|envoyé (?:de(?:puis)?|à partir de) |téléchargez outlook|obtenez outlook|enviado (?:desde|do|a partir do|de) "
    r"|obt(?:ener|enga|er) (?:o )?outlook|inviato da|ottieni outlook|scarica outlook"
    r"|(?:verzonden|verstuurd) (?:vanaf|van|met|via) |skickat från|skaffa outlook|hämta outlook|sendt fra"
    r"|wysłan[eo] z |odesláno z"
    r"|отправлено (?:с|из) |lähetetty|iphoneから送信|发自我的|從我的.{1,20}傳送).{0,120}$",
    _ANY,
)
DISCLAIMER = re.compile(
    r"[*\s]*(?:(?:this|the information (?:contained )?in this) (?:e-?mail|message|communication|transmission)\b.{0,120}"
    r"\b(?:confidential|intended|privileged)|confidentiality notice|disclaimer\s*:|legal notice\s*:"
    r"|diese (?:e-?mail|nachricht)\b.{0,120}\b(?:vertraulich|rechtlich geschützt)|vertraulichkeitshinweis"
    r"|(?:ce|le présent) (?:message|courriel|e-?mail)\b.{0,120}\bconfidentiel|este (?:mensaje|correo|e-?mail)\b.{0,120}"
    r"\bconfidencial|aviso (?:legal|de confidencialidad)|esta mensagem\b.{0,120}\bconfidencia"
    r"|(?:questo|il presente) messaggio\b.{0,120}\briservat|dit (?:e-?mail)?bericht\b.{0,120}\bvertrouwelijk"
    r"|think before you print|please consider the environment|bitte denken sie an die umwelt)",
    _ANY,
)
