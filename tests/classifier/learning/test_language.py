import pytest

from classifier.embeddings import encoders
from classifier.embeddings.sources import MINILM
from classifier.learning.language_detection import is_foreign

pytestmark = pytest.mark.once

ENGLISH = [
    "I was charged twice last month and the refund still hasn't shown up.",
    "Hi",
    "502 Bad Gateway",
    "refund pls",
    "Where is my order #4431-AX?",
    "thx!!! gr8 app :)",
    "It says ERR_CONNECTION_TIMED_OUT whenever I open the dashboard.",
]
FOREIGN = [
    "Ich wurde im letzten Monat zweimal belastet und die Rückerstattung ist noch nicht da.",
    "Wie kann ich mein Passwort zurücksetzen?",
    "J'ai été débité deux fois le mois dernier et le remboursement n'est pas arrivé.",
    "Me cobraron dos veces el mes pasado y el reembolso no ha llegado.",
    "С меня дважды списали деньги, а возврата до сих пор нет.",
    "上个月我被扣了两次钱，退款还没有到账。",
    "Geçen ay iki kez ücret alındı ve iade hâlâ gelmedi.",
]


def pieces(text: str) -> list[tuple[int, int]]:
    ((_index, encoded),) = encoders.load_onnx(MINILM).encode_pieces([text])
    return encoded.offsets


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_known(text: str) -> None:
    assert not is_foreign(text, pieces(text))


@pytest.mark.parametrize("text", FOREIGN)
def test_other_languages_are_not_taken_for_english(text: str) -> None:
    assert is_foreign(text, pieces(text))
