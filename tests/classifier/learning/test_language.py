import pytest

from classifier.learning.language_detection import UNKNOWN, language_of

pytestmark = pytest.mark.once

TEXTS = {
    "I was charged twice last month and the refund still hasn't shown up.": "en",
    "Where is my order #4431-AX?": "en",
    "It says ERR_CONNECTION_TIMED_OUT whenever I open the dashboard.": "en",
    "Ich wurde im letzten Monat zweimal belastet und die Rückerstattung ist noch nicht da.": "de",
    "Rechnung falsch": "de",
    "J'ai été débité deux fois le mois dernier et le remboursement n'est pas arrivé.": "fr",
    "Me cobraron dos veces el mes pasado y el reembolso no ha llegado.": "es",
    "С меня дважды списали деньги, а возврата до сих пор нет.": "ru",
    "上个月我被扣了两次钱，退款还没有到账。": "zh",
    "返金してください": "ja",
    "Geçen ay iki kez ücret alındı ve iade hâlâ gelmedi.": "tr",
    "<b>Wo ist mein Paket?</b> https://example.org/where/is/my/parcel": "de",
}
TOO_LITTLE = ["", "Hi", "ok", "😡😡", "12345", "502", "def f(x): return x+1", "kim@example.org"]


@pytest.mark.parametrize(("text", "language"), TEXTS.items())
def test_a_language_is_told_by_a_few_words(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", TOO_LITTLE)
def test_too_little_text_is_in_an_unknown_language(text: str) -> None:
    assert language_of(text) == UNKNOWN
