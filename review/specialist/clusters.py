"""Texts that are about one thing, found by their vectors alone, and the words that tell them from other texts. Pure.

Texts join by average linkage: two groups become one while their texts are alike enough on average, the closest first,
and what joins nothing stays by itself. So no number of groups has to be guessed, none is loose, and the same texts
always give the same groups. The nearest-neighbour chain finds them in one pass over the table of all pairs; it is
written out here, for the library that has it would cost a web process 150 MB.

- Murtagh (1983), "A survey of recent advances in hierarchical clustering algorithms": the chain.
- Monroe, Colaresi and Quinn (2008), "Fightin' words": log-odds of words, each held against what it is in all texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log, sqrt

import numpy as np

from classifier.learning.vector_space import Floats, Ints, centred, shrunken_mean

SAME_TOPIC_FROM = 0.38
"""From this cosine on average, around the common centre, texts are about one thing."""
MIN_TEXTS = 5
"""Texts; fewer are no topic yet."""
MIN_Z_SCORE = 1.96
"""Standard errors by which a word must be more frequent than elsewhere."""
READ_CHARACTERS = 1_000
"""Characters of a text that are looked at for words."""

_NOISE = re.compile(r"<[^<>]{1,200}>|https?://\S+|(?<!\w)@\w+|\[\w+\]")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_STOP_WORD_LIST = (
    "about after again against all also and any are been before but can cannot could did does doing done for from get "
    "gets getting give going got had has have having her here him his how into its just know let like make more "
    "much need not now off one only our out over please really say says she should since some still such take "
    "than thank thanks that the their them then there these they thing this those through too try trying under "
    "use using very via want wanted was way were what when where which while who why will with would yes yet you your"
)
"""English words that name nothing; those of other languages stand in all texts alike, and so are hardly told."""
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


def clusters(vectors: Floats, *, alike: float = SAME_TOPIC_FROM, fewest: int = MIN_TEXTS) -> list[Ints]:
    """Of each group the places of its texts, nearest to their middle first; the largest group first.

    `vectors` as the encoder gave them, of shape (n, WIDTH). Most texts may be in no group.
    """
    if len(vectors) < fewest:
        return []
    placed = centred(vectors, shrunken_mean(vectors))
    groups = [group for group in _link_clusters(placed, alike) if len(group) >= fewest]
    return [_central_first(placed, group) for group in sorted(groups, key=lambda one: (-len(one), one[0]))]


def _central_first(placed: Floats, group: list[int]) -> Ints:
    members = np.array(group, np.int64)
    closeness = placed[members] @ placed[members].mean(axis=0)
    return np.asarray(members[np.argsort(-closeness, kind="stable")], np.int64)


def _link_clusters(placed: Floats, alike: float) -> list[list[int]]:
    """All groups, single texts among them, each in the order of its texts."""
    table = placed @ placed.T
    np.fill_diagonal(table, -np.inf)
    sizes, groups = np.ones(len(placed), np.float32), {place: [place] for place in range(len(placed))}
    found: list[list[int]] = []
    chain: list[int] = []
    while groups:
        chain = chain or [next(iter(groups))]
        top, near = chain[-1], _nearest(table, chain)
        if table[top, near] < alike:
            # Nothing can come closer to it later, for an average does not exceed what it is of.
            found.append(sorted(groups.pop(chain.pop())))
            table[top], table[:, top] = -np.inf, -np.inf
        elif len(chain) > 1 and near == chain[-2]:
            del chain[-2:]
            _join(table, sizes, near, top)
            groups[near] += groups.pop(top)
        else:
            chain.append(near)
    return found


def _nearest(table: Floats, chain: Sequence[int]) -> int:
    """To the end of the chain; where several are, the one before it, or else it would go on in circles."""
    top = chain[-1]
    near = int(table[top].argmax())
    return chain[-2] if len(chain) > 1 and table[top, chain[-2]] >= table[top, near] else near


def _join(table: Floats, sizes: Floats, kept: int, gone: int) -> None:
    """Likeness to the two together is the average over the texts of both."""
    both = sizes[kept] + sizes[gone]
    row = (sizes[kept] * table[kept] + sizes[gone] * table[gone]) / both
    row[kept] = row[gone] = -np.inf
    table[kept], table[:, kept] = row, row
    table[gone], table[:, gone] = -np.inf, -np.inf
    sizes[kept] = both


def words_in(text: str) -> set[str]:
    """The words that name something, once each, in lower case; markup, addresses and names of accounts do not."""
    found = _WORD.findall(_NOISE.sub(" ", text[:READ_CHARACTERS]).lower())
    return {word for word in found if len(word) > 2 and len(set(word)) > 1 and not set(word) & set("'’")} - _STOP_WORDS


class Vocabulary:
    """Which words stand in which texts, so that those of some can be held against those of all."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = [words_in(text) for text in texts]
        self._everywhere = Counter(word for words in self._texts for word in words)

    def distinctive(self, members: Ints, most: int) -> list[str]:
        """The words that are more frequent in the texts at these places than in the others, most telling first."""
        inside = Counter(word for place in members for word in self._texts[place])
        here, elsewhere = len(members), len(self._texts) - len(members)
        told = {
            word: _log_odds_z_score(count, here, self._everywhere[word] - count, elsewhere)
            for word, count in inside.items()
            if count >= max(2, here / 10)
        }
        found: dict[str, set[str]] = {}
        for word in sorted(told, key=lambda word: (-told[word], word)):
            # Of “transfer”, “transfers” and “transfer-fee” one is enough.
            stems = {part.removesuffix("s") for part in word.split("-")}
            if told[word] >= MIN_Z_SCORE and not any(stems & others for others in found.values()):
                found[word] = stems
        return list(found)[:most] or self._frequent(inside, here / 2)[:most]

    def _frequent(self, inside: Counter[str], least: float) -> list[str]:
        """For texts that differ from no others, as where there are none."""
        return sorted((word for word in inside if inside[word] >= least), key=lambda word: (-inside[word], word))


def _log_odds_z_score(inside: int, here: int, outside: int, elsewhere: int) -> float:
    """The difference of log-odds in standard errors; both counts are drawn towards what they are together."""
    share = 0.5 + (inside + outside) / (here + elsewhere)
    one, other = inside + share, outside + share
    difference = log(one / (here + 2 - one)) - log(other / (elsewhere + 2 - other))
    return difference / sqrt(1 / one + 1 / other)
