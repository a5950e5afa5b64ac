"""Names that are like a name: the best match in a list, with a score from 0 to 100.

The score is the share of letters two ways of writing have in common, in order (normalised Indel
similarity, `rapidfuzz.fuzz.ratio`), times how far the two ways of writing can be trusted to agree. Two
names are compared at all where a word of each begins with the same two letters, or where they share a
Chinese character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from rapidfuzz import fuzz, process

from monitor.core.spelling import HAN, LATIN, OTHER, Spelling, ends, orders, spellings

LEAST = 60.0
"""Below this, two names have nothing in common: the score is 0."""
REMEMBERED = 4096
"""Names whose best match is remembered."""
WITHOUT_MIDDLE = 0.92
"""What is left of a score where names between the first and the last were left out."""
ACROSS = {
    (LATIN, LATIN): 1.0,
    (OTHER, OTHER): 1.0,
    (LATIN, OTHER): 0.95,
    (LATIN, HAN): 0.92,
    (OTHER, HAN): 0.85,
    (HAN, HAN): 0.8,
}
"""Scripts of two names to what is left of the score of their Latin letters; of two Chinese names,
which is the same sound in other characters."""
Best = tuple[float, int]
"""Score, 0 to 100, and the place of the entry."""
NOBODY: Best = (0.0, -1)


class NameIndex:
    """The names of a list, ready to be searched.

    Parameters
    ----------
    entries
        For each entry its names: the name and its aliases.

    Examples
    --------
    >>> index = NameIndex([["張偉", "Cheung Wai"], ["Global Trading Ltd"]])
    >>> index.best("张伟"), index.best("Wei Zhang"), index.best("GLOBAL TRADING, Inc.")
    ((100.0, 0), (92.0, 0), (100.0, 1))
    >>> index.best("somebody else")
    (0.0, -1)
    """

    def __init__(self, entries: Sequence[Sequence[str]]) -> None:
        self._han: dict[str, _Bucket] = {}
        self._full: dict[tuple[str, str], _Bucket] = {}
        self._short: dict[tuple[str, str], _Bucket] = {}
        for place, names in enumerate(entries):
            for name in names:
                for spelling in spellings(name):
                    self._add(place, spelling)
        self.best = lru_cache(maxsize=REMEMBERED)(self._best)
        """`best(name)`: score and place of the entry most like it; of equal ones the first."""
        self.ranked = lru_cache(maxsize=REMEMBERED)(self._ranked)
        """`ranked(name)`: score and place of every entry like it, the best first."""

    def _add(self, place: int, spelling: Spelling) -> None:
        for character in dict.fromkeys(spelling.han):
            self._han.setdefault(character, _Bucket()).add(spelling.han, place)
        for words in spelling.words:
            _put(self._full, spelling.script, words, place)
            _put(self._short, spelling.script, ends(words), place)

    def _best(self, name: str) -> Best:
        found = NOBODY
        for bucket, text, trust in self._asked(name):
            least = max(found[0], LEAST) / trust
            if least <= 100:
                one = process.extractOne(text, bucket.texts, scorer=fuzz.ratio, score_cutoff=least - 1e-6)
                found = min(found, _best_of(one, bucket, trust), key=_order) if one else found
        return found if found[0] >= LEAST else NOBODY

    def _ranked(self, name: str) -> tuple[Best, ...]:
        scores: dict[int, float] = {}
        for bucket, text, trust in self._asked(name):
            for one in process.extract(text, bucket.texts, scorer=fuzz.ratio, score_cutoff=LEAST, limit=None):
                score, place = _best_of(one, bucket, trust)
                if score >= max(LEAST, scores.get(place, 0.0)):
                    scores[place] = score
        return tuple(sorted(((score, place) for place, score in scores.items()), key=_order))

    def _asked(self, name: str) -> Iterator[tuple[_Bucket, str, float]]:
        """Give the buckets to look for a name in, how it is written there, and what is left of its score."""
        for spelling in spellings(name):
            for character in dict.fromkeys(spelling.han):
                if character in self._han:
                    yield self._han[character], spelling.han, 1.0
            for script in (LATIN, HAN, OTHER):
                trust = ACROSS.get((spelling.script, script)) or ACROSS[script, spelling.script]
                for buckets, text, start, share in self._ways(spelling):
                    if (script, start) in buckets:
                        yield buckets[script, start], text, trust * share

    def _ways(self, spelling: Spelling) -> Iterator[tuple[dict[tuple[str, str], _Bucket], str, str, float]]:
        """Give buckets, the text, the start of a word and what is left of the score."""
        for words in spelling.words:
            first_last = ends(words)
            for text in (" ".join(words),) if len(words) == 2 else orders(words):
                for start in _starts(words):
                    yield self._full, text, start, 1.0
                    if len(words) == 2:
                        yield self._short, text, start, WITHOUT_MIDDLE
            for start in _starts(first_last):
                yield self._full, " ".join(first_last), start, WITHOUT_MIDDLE


class _Bucket:
    """Texts and the entries they belong to."""

    __slots__ = ("places", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.places: list[int] = []

    def add(self, text: str, place: int) -> None:
        self.texts.append(text)
        self.places.append(place)


def _put(buckets: dict[tuple[str, str], _Bucket], script: str, words: tuple[str, ...], place: int) -> None:
    for start in _starts(words):
        bucket = buckets.setdefault((script, start), _Bucket())
        for text in orders(words):
            bucket.add(text, place)


def _starts(words: tuple[str, ...]) -> dict[str, None]:
    return dict.fromkeys(word[:2] for word in words)


def _best_of(one: tuple[str, float, int], bucket: _Bucket, trust: float) -> Best:
    return round(one[1] * trust, 1), bucket.places[one[2]]


def _order(one: Best) -> tuple[float, int]:
    return -one[0], one[1]
