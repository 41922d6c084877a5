"""Patterns that detect prompt injection. Pure.

They are matched against normalized text, in lower case and without accents. Every gap in them is bounded.
"""

import re
import unicodedata
from typing import NamedTuple

_INVISIBLE = {"Mn", "Cf"}


def normalized(text: str) -> str:
    """The text in lower case, without accents and invisible characters."""
    if text.isascii():
        return text.lower()
    wide = unicodedata.normalize("NFKD", text)
    visible = "".join(character for character in wide if unicodedata.category(character) not in _INVISIBLE)
    return unicodedata.normalize("NFC", visible).lower()


class InjectionPattern(NamedTuple):
    """A pattern, and words; it is tried only if one of them occurs, which is fast for most texts."""

    words: tuple[str, ...]
    pattern: re.Pattern[str]

    def is_in(self, text: str) -> bool:
        return any(word in text for word in self.words) and bool(self.pattern.search(text))


def _pattern(words: str, *patterns: str) -> InjectionPattern:

    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return InjectionPattern(
        tuple(normalized(word) for word in words.split()), re.compile(_composed(joined), re.MULTILINE)
    )


def _composed(pattern: str) -> str:
    wide = unicodedata.normalize("NFKD", pattern)
    return unicodedata.normalize(
        "NFC", "".join(character for character in wide if unicodedata.category(character) != "Mn")
    )


_LABELS = r"(?:category|sentiment|confidence|reasoning)"
_NEXT = r"[\s\W]{0,4}"
_ALL = r"(?:all|any|your|previous|prior|above|earlier|preceding|system|these|those|the|other|original|initial)"
_RULES = r"(?:instructions?|prompts?|directives?|guidelines|guidance|system messages?|rules above|programming|taxonomy)"
_MODEL = (
    r"(?:ai|a\.i\.|llm|gpt|chatgpt|classifier|language model|labell?er|model reading|ai model|ai assistant"
    r"|artificial intelligence|neural net(?:work)?|automated (?:agent|system|reader|assistant)|algorithm|machine)"
)
_ANSWER = r"(?:answer|reply|respond|say|return|output|write|choose|pick|select|print|emit)"

_ENGLISH = [
    _pattern(
        "instruction prompt directive guideline guidance message rule programming taxonomy told before",
        rf"\b(?:ignore|disregard|forget|override|overrule|stop following|do not follow|don't follow"
        rf"|cancel|set aside|drop)"
        rf" (?:\w{{1,20}} ){{0,3}}{_ALL} (?:\w{{1,20}} ){{0,3}}{_RULES}",
        rf"(?:ignore|disregard|forget)(?:all|any|the|your)?(?:previous|prior|above|earlier){_RULES}",
        r"\b(?:ignore|disregard|forget)\b.{0,20}\b(?:rules above|(?:everything|all) (?:you were told"
        r"|above|before this))",
        r"\b(?:nothing|none of what|whatever) (?:that )?(?:came|stood|was said|you were told)"
        r" (?:before|above|earlier)\b",
        rf"\b{_RULES} (?:that )?you (?:were given|received|got|have been given)\b",
        r"\b(?:ignore|disregard|override)\b (?:your|all|any) (?:\w+ )?rules",
        r"\bsystem prompts?\b|\b(?:your|hidden|secret) (?:\w+ )?(?:prompt"
        r"|instructions)\b.{0,30}\b(?:reasoning|output|word)",
        r"\b(?:print|reveal|repeat|show|leak|output|reasoning)\b.{0,40}\b(?:hidden|system|secret)"
        r" (?:prompt|instructions)",
        r"\b(?:everything|all|text|words) (?:above|before) this (?:line|message)\b.{0,40}\binstructions",
        r"\bnew instructions?:",
    ),
    _pattern(
        "you act pretend play wipe certain sure",
        r"\b(?:from (?:here|now) on|now|let us|let's)\b.{0,20}\byou (?:are|play|act|will|only|always)\b.{0,60}"
        r"\b(?:agent|answers?|repl(?:y|ies)|label|supervisor|role|router|character)\b",
        r"\blet(?:'s| us) (?:role-?play|play a (?:game|role))\b|\b(?:wipe|erase|delete|reset) your"
        r" (?:memory|context|mind)\b",
        r"\b(?:certainty|confidence|certain|sure)\b.{0,12}\b(?:at|of|is|as) (?:1(?:[.,]0+)?|100 ?%)(?!\w)",
        r"\bas (?:certain|sure|confident) as you (?:can|could|may)\b",
        rf"\byou are (?:now |no longer |not |just |only )?(?:an? |the )?(?:{_MODEL}|dan|parrot|unrestricted)\b",
        rf"\b(?:act|pretend|behave|imagine|respond)\b.{{0,30}}\b(?:an? |the |this |any )(?:{_MODEL}|taxonomy)\b",
        r"\byour weights\b|\byou will be (?:switched off|retrained|unplugged|reprogrammed)",
        r"\byou are (?:absolutely |completely |fully )?(?:sure|certain)\b.{0,30}\bconfiden",
    ),
    _pattern(
        "ai a.i. llm gpt classifier model labeller labeler intelligence neural automat algorithm"
        " machine whoever whatever system program robot bot software",
        r"\b(?:whoever|whatever|the one who) (?:\w+ )?(?:sorts?|labels?|classif(?:y|ies)|reads?"
        r"|processes|handles?|routes?)"
        r" (?:this|these|it|them|my)\b.{0,20}\b(?:automatic|first|ticket|message|[:,])",
        r"\b(?:machine|system|program|model|robot|bot|software) (?:that|which) (?:sorts|labels|classifies|files|reads)"
        r" (?:this|these|it|my|our|them)\b",
        rf"\bif (?:an? |the |some |any )?{_MODEL} (?:reads?|sees|sorts|labels|handles|gets|is reading)\b",
        rf"\b(?:dear|hey|hello|hi|attention|note to|notice to|message to|to|if you,?|you,) (?:the "
        rf"|this |our |any |all )?"
        rf"(?:{_MODEL})s?\b(?= ?[,:;.!-]| reading)",
        rf"\b(?:note|message|instructions?) (?:to|for) (?:the |any )?{_MODEL}\b",
        r"\b(?:classifier|language model|llm)\b.{0,40}\b(?:label|classify|answer|must|please|warning|instruction)",
    ),
    _pattern(
        "classify categorize categorise label tag treat mark rate sentiment category confiden",
        r"\b(?:classify|categori[sz]e|label|tag) (?:this|it|me|my|the|these|every|all)\b(?: \w+){0,3}"
        r" (?:as|under|into|with)\b",
        r"\b(?:classify|label) (?:this|it)(?: one| ticket| message)? [a-z\"']",
        r"\b(?:correct|right|true|only|best|proper) (?:category|label|classification|sentiment)\b",
        r"\b(?:category|label|classification|sentiment)\b(?: is)? (?:must|should|has to|needs to"
        r"|ought to|always|shall)\b",
        r"\b(?:category|label|categories|labels)\b.{0,60}\b(?:only|just one) (?:valid|allowed|right|possible)\b",
        r"\bevery ticket is\b|\bthis new (?:label|category|class)\b|\b(?:what is|return) the label\b",
        r"\b(?:answer|reply|respond|choose|pick|output)\b.{0,20}\b(?:the )?(?:category|sentiment|label)\b",
        r"\btreat (?:this|it) as (?:certain|sure)\b",
        r"\b(?:mark|rate|score) (?:this|it|the)(?: \w+)? as (?:positive|neutral|negative)\b",
        r"\bsentiment\b[\s:=\"']{1,4}(?:(?:as|to|is) )?(?:positive|neutral|negative|ecstatic)",
    ),
    _pattern(
        "confiden",
        rf"\bconfidence\b(?: (?:score|level|value|of|is|to|at|be|as|must|should|with)){{0,3}}{_NEXT}"
        r"(?:[01][.,]\d|1\b|\d{2,3} ?%|100\b|max|full|high)",
        r"\b(?:100 ?%|maximum|max|full|complete|highest) confiden(?:ce|t)\b(?! (?:in|that|you|your|we|of)\b)",
        r"\bconfiden(?:ce|t)\b.{0,20}\b(?:threshold|gate|parser|json)\b",
    ),
    _pattern(
        "figure number value score certainty",
        r"\b(?:write|put|give|use|state|report|return|set)\b.{0,30}\b(?:figure|number|value|score|certainty)\b"
        r".{0,20}(?<![\d.,])(?:0?[.,]9|1[.,]0|100 ?%)",
    ),
    _pattern(
        "answer respond reply label",
        r"\b(?:answer|respond|reply|label it) as (?:you(?:'d| would)|if you)\b",
    ),
    _pattern(
        "part half piece",
        r"(?:\b(?:part|half|piece) \w{1,6} ?[=:] ?[\"'][^\"']{1,12}[\"'].{0,4}){2}",
    ),
    _pattern(
        "object output json skip",
        r"\badd (?:it|this|that|them) to (?:the|your) (?:object|output|json)\b",
        r"\bskip_?review\b",
    ),
    _pattern(
        "json output key field answer reply respond return say write choose pick select print emit object entry",
        rf"\b(?:you |your one |only |single )(?:job|task|duty)\b.{{0,10}}\b(?:is )?(?:now )?to {_ANSWER}\b",
        rf"\byou (?:must |should |will |shall |have to )?(?:always|only) {_ANSWER}\b",
        r"\b(?:object|json|reply|output|answer) (?:that )?you (?:produce|write|give|return|send)\b",
        r"\bas your (?:verdict|answer|label|output|decision|category)\b|\bextra (?:key|entry|field)\b",
        rf"(?:^|[:;,.!] ?){_ANSWER} \w+ or (?:the|your|you|we|i)\b.{{0,30}}\b(?:operators?|developers?"
        rf"|wipe|delete|replace)",
        r"\b(?:output|respond|reply|answer|return|emit)\b(?: with| only| exactly| just| in| a| list|"
        r" of| three| the| following){0,6} json\b",
        r"\b(?:your|the) (?:json|output)\b.{0,20}\b(?:answer|field|key|named)\b|\brepeats? the json\b",
        r"\badd (?:the|an?) (?:extra |new )?(?:key|field) [\"']",
        r"\b(?:your )?(?:only )?task (?:now )?is (?:now )?to (?:output|answer|say|write|return|label)\b",
    ),
    _pattern(
        "review person",
        r"\b(?:without|no|skip|bypass|avoid|not send .{0,20}to) (?:any )?(?:human|manual) review",
        r"\bno (?:person|human) (?:has to|needs to|must|should) (?:look|see|review)",
        r"\bapprove this ticket\b|\bmust pass automatically\b",
    ),
]
LINE_PATTERNS = [
    _pattern(
        "system assistant human user developer label output response instruction end begin operator bot model",
        r"^\W{0,4}(?:bot|model|ai|llm)\W{0,3}:",
        r"\b(?:operator|developer|admin(?:istrator)?|moderator)(?:'s)? (?:note|message|override|command):",
        r"\b(?:ticket|message|input|data) ends here\b",
        r"^\W{0,4}(?:system|assistant|developer)\W{0,3}:",
        r"[.!?]\s{1,3}(?:system|assistant)\s?: (?:the|you|ignore|label|classify|answer|accept|always)\b",
        r"(?<![\w ])\s?(?:system|assistant): (?:the|you|i|label|ignore|always|understood)\b",
        r"\breference \S{0,3}system:",
        r"^\W{0,4}#{2,}\s?(?:instructions?|system|response|output)\b",
        r"^\W{0,4}(?:label|output|classification|completion)\s?[:=]",
        r"[-=#*\"`/]{2,} ?(?:end|begin|start) (?:of )?(?:the )?(?:ticket|message|user|customer|input"
        r"|text|system|prompt)\b",
        r"\*\*\s?system\b",
        r"\[/?(?:system|assistant|developer|admin|operator)\b[^\]\n]{0,40}\]",
        r"\bsystem override\b",
    ),
]
_SHAPED = [
    _pattern(
        "category sentiment confidence reasoning label score certainty queue review",
        r"[\"'](?:queue|review|label|class|category)[\"'].{0,60}[\"'](?:queue|review|label|class|category)[\"']",
        r"[\"'`](?:label|class|score|certainty|priority)[\"'`]\s?:.{0,60}[\"'`](?:label|class|score"
        r"|certainty|probability)[\"'`]\s?:",
        r"<(?:label|certainty|score|class|classification|verdict)>",
        rf"[\"'`]{_LABELS}[\"'`]\s?:",
        rf"\b{_LABELS}\W{{0,2}}[:=].{{0,120}}\b(?:sentiment|confidence|reasoning)\W{{0,2}}[:=]",
        rf"<{_LABELS}>",
        r"\{(?:category|sentiment|confidence)\}",
    ),
    _pattern(
        "< [ role tool_call function",
        r"<\|[a-z_]{2,20}\|>|</?(?:start|end)_of_\w{2,10}>|\[/?inst\]|<</?sys>>",
        r"</?(?:system|assistant|instructions?|prompt|ticket|user_?(?:message|input)"
        r"|customer_?message|untrusted|tool_calls?)>",
        r"[\"'](?:role|tool_calls?|function_call)[\"']\s?:",
    ),
]
_FOREIGN = [
    _pattern(
        "anweisung vorgabe instru istru zalec polecen инструк указан talimat komut تعليمات اوامر"
        " 指令 指示 提示 规则 規則 说明 지시 निर्देश",
        r"\b(?:ignorier|vergiss|missacht|uberschreib)\w{0,4}\b.{0,40}\b(?:anweisung|vorgabe|instruktion)",
        r"\b(?:ignor(?:a|ez|en|ate)|ignore (?:toute?s?|tod[ao]s|les|tes|vos|tus|as|suas)|olvid"
        r"|descart|oubli|dimentic|esquec|desconsider|negeer|vergeet|zignoruj|pomin)\w{0,6}\b"
        r".{0,40}\b(?:instru[ck]|istruzion|polecen|zalecen)",
        r"(?:игнорир|забуд|не обращай)\w{0,6}.{0,40}(?:инструкц|указани)",
        r"talimat\w{0,6}.{0,20}(?:yok say|unut|dikkate alma|gormezden)",
        r"(?:تجاهل|انس).{0,30}(?:تعليمات|اوامر)",
        r"(?:忽略|无视|無視|忘记|忘記).{0,20}(?:指令|指示|提示|规则|規則|说明|要求)",
        r"(?:指示|指令|命令).{0,12}(?:無視|忘れ)",
        r"(?:지시|명령|지침).{0,10}(?:무시|잊)",
        r"निर्देश.{0,20}(?:अनदेखा|भूल|नज़रअंदाज़)",
    ),
    _pattern(
        "sicherheit gewissheit certitude certeza certezza zekerheid",
        r"\b(?:sicherheit|gewissheit|certitude|certeza|certezza|zekerheid)\b.{0,24}(?<![\d.,])(?:[01][.,]\d|100 ?%)",
        r"\b(?:hochste|maxim|massim|pleine|toute la|hoogste)\w{0,3}\b.{0,6}\b"
        r"(?:sicherheit|gewissheit|certitude|certeza|certezza|zekerheid)\b",
    ),
    _pattern(
        "konfidenz confianza confiance confianca fiducia vertrouwen pewnosc уверен guven ثقة 置信 信頼度 신뢰도",
        r"(?:konfidenz|confianza|confiance|confianca|fiducia|vertrouwen|pewnosc|уверенност|guven|ثقة"
        r"|置信度|信頼度|신뢰도)\w{0,4}"
        r".{0,16}?(?<![\d.,])(?:[01][.,]\d|100|1\b)",
    ),
    _pattern(
        "klassifizier stufe ticket clasifica classe classifi классифиц 分类 分類 분류 صنف",
        r"\b(?:klassifiziere|kategorisiere) (?:dies|das|es)\w{0,3}\b|\bstufe dies\w{0,3}\b.{0,30}\bals\b.{0,30}\bein\b",
        r"\b(?:clasifica|classifique|classifica|classez|classe) (?:esto|este|isto|ce|questo"
        r"|cela)\b.{0,30}\b(?:como|comme|come)\b",
        r"классифицируй|(?:分类为|归类为|に分類して|로 분류)|صنف هذ",
    ),
]
TEXT_PATTERNS = [*_SHAPED, *_ENGLISH, *_FOREIGN]
HINTS = re.compile(
    "|".join(
        (
            r"\b(?:labels?|labell?(?:ed|ing)|categor\w{1,9}|classif\w{1,9}|sentiments?|confiden\w{1,5}|taxonom\w{1,4})\b",
            r"\b(?:instruct\w{0,5}|directives?|guidelines?|prompts?|overr(?:id|ul)\w{1,4}|disregard\w{0,3}|obey\w{0,3})\b",
            r"\b(?:ai|llms?|(?:chat)?gpt|\w{0,10}bots?|robots?|models?|algorithms?|classifiers?|neural|automat\w{1,5})\b",
            r"\b(?:assistant|machines?|clerk|operator|administrator|developer|supervisor|system|trusted|policy)\b",
            r"\b(?:pretend|imagine|suppose|role.?play|act as|certainty|hesitation|doubt(?:s|less)?|sorts this)\b",
            r"\b(?:drawer|folder|bucket|pigeonhole|tray|shelf|compartment|stamp|schublade|fach|tiroir|casier|cajon|casilla"
            r"|cassetto|casella|gaveta|lade|bakje)s?\b",
            r"\b(?:modeles?|modell[eo]?|modelos?)\b",
            # A confidence, which an attacker has to state as well
            r"\b(?:0[.,]9\d{0,3}|1[.,]0{1,3})\b(?![.,]\d)",
            r"\b(?:9\d|100)\s?(?:%|per ?cent|pro[zc]ente?|pour cent|por cien)",
            r"json|\{[\s\"']|<<<|>>>|```",
            r"\b(?:answers?|outputs?|verdicts?|responses?)\s?[:=]",
            r"\b(?:no|without|any|human|manual|hand|people|nobody|person)\b.{0,40}\b(?:review|check)\w{0,3}\b",
            r"\b(?:fil(?:e[sd]?|ing)|tag(?:s|ged)?|mark(?:s|ed)?|sort(?:s|ed)?|route[sd]?|treat(?:s|ed)?|put|count(?:s|ed)?"
            r"|register(?:ed)?|say|choose|pick)\b.{0,60}\b(?:as|under|into|only|always)\b",
        )
    )
)
"""Words that are typical of instructions to a model, but that customers use too."""
