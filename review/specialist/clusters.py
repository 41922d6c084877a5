"""Cluster texts by their vectors, and find the words that set each cluster apart. Pure.

Average linkage merges the closest two groups while their texts are similar enough on average. The number of groups need
not be guessed, and the same texts always give the same groups. The nearest-neighbour chain is implemented here because
the library that has it (scipy) would cost a web process 150 MB.

- Murtagh (1983), "A survey of recent advances in hierarchical clustering algorithms": the chain.
- Monroe, Colaresi and Quinn (2008), "Fightin' words": log-odds of words with a prior.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log, sqrt

import numpy as np

from classifier.learning.vector_space import Floats, Ints, centred, shrunken_mean

SAME_TOPIC_FROM = 0.38
"""Average cosine, around the common centre, from which texts share a topic."""
MIN_TEXTS = 5
MIN_Z_SCORE = 1.96
"""Standard errors by which a word must be more frequent than elsewhere."""
READ_CHARACTERS = 1_000
"""Characters of a text that are searched for words."""

_NOISE = re.compile(r"<[^<>]{1,200}>|https?://\S+|(?<!\w)@\w+|\[\w+\]")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_STOP_WORD_LIST = (
    "about after again against all also and any are been before but can cannot could did does doing done for from get "
    "gets getting give going got had has have having her here him his how into its just know let like make more "
    "much need not now off one only our out over please really say says she should since some still such take "
    "than thank thanks that the their them then there these they thing this those through too try trying under "
    "use using very via want wanted was way were what when where which while who why will with would yes yet you your"
)
"""English stop words. Those of other languages occur in all texts alike, so they hardly count."""
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


def clusters(vectors: Floats, *, alike: float = SAME_TOPIC_FROM, fewest: int = MIN_TEXTS) -> list[Ints]:
    """The clusters of texts as indexes into `vectors` (n, width): largest cluster first, most central text first.

    Texts may belong to no cluster.
    """
    if len(vectors) < fewest:
        return []
    placed = centred(vectors, shrunken_mean(vectors))
    groups = [members for members in _link_clusters(placed, alike) if len(members) >= fewest]
    return [_central_first(placed, members) for members in sorted(groups, key=lambda group: (-len(group), group[0]))]


def _central_first(placed: Floats, group: list[int]) -> Ints:
    members = np.array(group, np.int64)
    closeness = placed[members] @ placed[members].mean(axis=0)
    return np.asarray(members[np.argsort(-closeness, kind="stable")], np.int64)


def _link_clusters(placed: Floats, alike: float) -> list[list[int]]:
    """All groups, including those of a single text, each sorted."""
    table = placed @ placed.T
    np.fill_diagonal(table, -np.inf)
    sizes, groups = np.ones(len(placed), np.float32), {place: [place] for place in range(len(placed))}
    finished: list[list[int]] = []
    chain: list[int] = []
    while groups:
        chain = chain or [next(iter(groups))]
        top, near = chain[-1], _nearest(table, chain)
        if table[top, near] < alike:
            # Nothing can come closer later: an average never exceeds its largest value.
            finished.append(sorted(groups.pop(chain.pop())))
            table[top], table[:, top] = -np.inf, -np.inf
        elif len(chain) > 1 and near == chain[-2]:
            del chain[-2:]
            _join(table, sizes, near, top)
            groups[near] += groups.pop(top)
        else:
            chain.append(near)
    return finished


def _nearest(table: Floats, chain: Sequence[int]) -> int:
    """The group nearest to the end of the chain; ties go to its predecessor, or the chain would run in circles."""
    top = chain[-1]
    near = int(table[top].argmax())
    return chain[-2] if len(chain) > 1 and table[top, chain[-2]] >= table[top, near] else near


def _join(table: Floats, sizes: Floats, into: int, other: int) -> None:
    """Merge `other` into `into`; similarities become averages over the texts of both."""
    both = sizes[into] + sizes[other]
    row = (sizes[into] * table[into] + sizes[other] * table[other]) / both
    row[into] = row[other] = -np.inf
    table[into], table[:, into] = row, row
    table[other], table[:, other] = -np.inf, -np.inf
    sizes[into] = both


def words_in(text: str) -> set[str]:
    """The distinct words of a text in lower case, without stop words, markup, URLs and account names."""
    words = _WORD.findall(_NOISE.sub(" ", text[:READ_CHARACTERS]).lower())
    return {word for word in words if len(word) > 2 and len(set(word)) > 1 and not set(word) & set("'’")} - _STOP_WORDS


class Vocabulary:
    """The words of each text, to compare some of the texts with the rest."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = [words_in(text) for text in texts]
        self._everywhere = Counter(word for words in self._texts for word in words)

    def distinctive(self, members: Ints, most: int) -> list[str]:
        """The words that are more frequent in these texts than in the others, most distinctive first."""
        inside = Counter(word for place in members for word in self._texts[place])
        here, elsewhere = len(members), len(self._texts) - len(members)
        z_scores = {
            word: _log_odds_z_score(count, here, self._everywhere[word] - count, elsewhere)
            for word, count in inside.items()
            if count >= max(2, here / 10)
        }
        chosen: dict[str, set[str]] = {}
        for word in sorted(z_scores, key=lambda word: (-z_scores[word], word)):
            # One of “transfer”, “transfers” and “transfer-fee” is enough.
            stems = {part.removesuffix("s") for part in word.split("-")}
            if z_scores[word] >= MIN_Z_SCORE and not any(stems & others for others in chosen.values()):
                chosen[word] = stems
        return list(chosen)[:most] or self._frequent(inside, here / 2)[:most]

    def _frequent(self, inside: Counter[str], least: float) -> list[str]:
        return sorted((word for word in inside if inside[word] >= least), key=lambda word: (-inside[word], word))


def _log_odds_z_score(inside: int, here: int, outside: int, elsewhere: int) -> float:
    """The difference of log-odds in standard errors; both counts are shrunk towards their joint share."""
    share = 0.5 + (inside + outside) / (here + elsewhere)
    here_count, elsewhere_count = inside + share, outside + share
    difference = log(here_count / (here + 2 - here_count)) - log(elsewhere_count / (elsewhere + 2 - elsewhere_count))
    return difference / sqrt(1 / here_count + 1 / elsewhere_count)
