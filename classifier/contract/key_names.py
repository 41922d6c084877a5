"""What models that answer in another language call the answer's keys. Pure."""

KEYS = ("category", "sentiment", "confidence", "reasoning")

_NAMES = {
    "category": (
        "kategorie categoria categoría catégorie categorie kategoria kategori kategória luokka категория категорія "
        "类别 類別 分类 分類 カテゴリ カテゴリー 카테고리 분류"
    ),
    "sentiment": (
        "stimmung sentimiento sentimento sentyment duygu hangulat тональность настроение настрій "
        "情感 情绪 情緒 感情 センチメント 감정"
    ),
    "confidence": (
        "konfidenz zuversicht sicherheit confianza confiança confiance fiducia vertrouwen zekerheid pewność güven "
        "уверенность впевненість 置信度 信心 確信度 信頼度 신뢰도"
    ),
    "reasoning": (
        "begründung razonamiento raisonnement justification ragionamento motivazione redenering uzasadnienie gerekçe "
        "обоснование 理由 推理 이유 reason explanation rationale"
    ),
}
_KEY_OF = {name: key for key, named in _NAMES.items() for name in named.split()}


def known_key(name: str) -> str:
    """The answer's key of this name in whatever case or language; any other name in lower case."""
    folded = name.strip().casefold()
    return _KEY_OF.get(folded, folded)
