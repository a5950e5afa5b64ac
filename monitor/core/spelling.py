"""How a name is written: the ways of writing that names are compared by.

Latin letters are compared without case, accents, punctuation, titles and legal forms, in any order of
the words. Chinese is folded to simplified characters. Chinese and other scripts are transliterated
too, so that a name in one script finds one in another.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from anyascii import anyascii
from pypinyin import Style, lazy_pinyin
from zhconv import convert
from zhconv.zhconv import loaddict

with warnings.catch_warnings():
    # The library leaves its dictionary's file to be closed by the interpreter.
    warnings.simplefilter("ignore", ResourceWarning)
    loaddict()

LATIN, HAN, OTHER = "latin", "han", "other"
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ffff]+")
_WORD = re.compile(r"[a-z0-9]+")
_DOTTED = re.compile(r"\b((?:[a-z]\.)+[a-z]?)(?![a-z])")
_LEGAL = frozenset({
    "ltd", "limited", "llc", "llp", "lp", "inc", "incorporated", "corp", "corporation", "co", "company",
    "plc", "gmbh", "mbh", "ag", "kg", "kgaa", "ohg", "ug", "se", "sa", "sas", "sarl", "srl", "spa", "sl",
    "bv", "nv", "ab", "as", "asa", "oy", "oyj", "aps", "pte", "pty", "bhd", "sdn", "kk", "ooo", "oao",
    "zao", "pao", "ao", "sro", "doo", "jsc", "pjsc", "ojsc",
})  # fmt: skip
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof"})
_HAN_LEGAL = re.compile(
    "(?:股份有限公司|有限责任公司|集团有限公司|有限公司|股份公司|集团公司|总公司|公司|集团)+$"
)
_SURNAMES = {
    "曾": "zeng", "单": "shan", "仇": "qiu", "解": "xie", "区": "ou", "查": "zha",
    "朴": "piao", "盖": "ge", "缪": "miao", "乐": "yue", "任": "ren", "华": "hua",
    "翟": "zhai", "宁": "ning", "冼": "xian", "尹": "yin", "员": "yun", "繁": "po",
    "召": "shao", "折": "she", "覃": "qin", "种": "chong", "秘": "bi",
}  # fmt: skip
"""Surnames that are read otherwise than the character."""
_DOUBLE = frozenset({
    "欧阳", "太史", "上官", "端木", "司马", "东方", "独孤", "南宫", "夏侯", "诸葛", "尉迟", "皇甫",
    "宇文", "长孙", "慕容", "司徒", "令狐", "公孙", "西门", "闻人", "轩辕", "赫连", "澹台",
})  # fmt: skip
"""Surnames of two characters."""
_MOST_PERSON = 4
"""A Chinese name of more characters is no person's."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way of writing of a name."""

    script: str
    """`latin`, `han` or `other`: what the name was written in."""
    han: str
    """Simplified characters without legal form; empty where it is not Chinese."""
    words: tuple[tuple[str, ...], ...]
    """In Latin letters: alternatives of words, as written."""


def spellings(name: str) -> Iterator[Spelling]:
    """Give the ways of writing in a name; one that mixes Chinese and Latin letters has two.

    Examples
    --------
    >>> [(one.script, one.words) for one in spellings("Müller & Söhne GmbH")]
    [('latin', (('muller', 'sohne'),))]
    >>> [(one.han, one.words) for one in spellings("張曉明")]
    [('张晓明', (('zhang', 'xiaoming'), ('zhang', 'xiao', 'ming')))]
    """
    text = unicodedata.normalize("NFKC", name)
    han = "".join(_HAN.findall(text))
    if han:
        simple = convert(han, "zh-hans")
        core = _HAN_LEGAL.sub("", simple) or simple
        yield Spelling(HAN, core, tuple(_pinyin(core)))
        text = _HAN.sub(" ", text)
        if sum(letter.isalpha() for letter in text) < 2 * _MOST_PERSON:
            return
    words = _words(text)
    if words:
        is_latin = all(
            unicodedata.name(letter, "").startswith("LATIN") for letter in text if letter.isalpha()
        )
        yield Spelling(LATIN if is_latin else OTHER, "", (words,))


def _words(text: str) -> tuple[str, ...]:
    plain = anyascii(text.casefold()).lower().replace("'", "").replace("`", "")
    plain = _DOTTED.sub(lambda match: match[1].replace(".", ""), plain)
    found = tuple(_WORD.findall(plain))
    core = tuple(word for word in found if word not in _LEGAL and word not in _TITLES)
    return core or found


def _pinyin(han: str) -> Iterator[tuple[str, ...]]:
    read = [word.replace("ü", "u") for word in lazy_pinyin(han, style=Style.NORMAL, v_to_u=True)]
    if len(han) > _MOST_PERSON:
        yield tuple(read)
        return
    if len(han) == 1:
        yield (read[0],)
        return
    surname = 2 if len(han) > 2 and han[:2] in _DOUBLE else 1
    if surname == 1:
        read[0] = _SURNAMES.get(han[0], read[0])
    yield "".join(read[:surname]), "".join(read[surname:])
    if len(han) - surname > 1:
        yield ("".join(read[:surname]), *read[surname:])


def orders(words: tuple[str, ...]) -> list[str]:
    """Return a name of these words as written, and in another order: of two words the other one.

    Of more, the words sorted, as those of a name that is looked for are too.

    Examples
    --------
    >>> orders(("zhang", "wei"))
    ['wei zhang', 'zhang wei']
    """
    other = reversed(words) if len(words) == 2 else sorted(words)
    return sorted({" ".join(words), " ".join(other)})


def ends(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first and the last word of a name with others between, else nothing.

    Examples
    --------
    >>> ends(("john", "fitzgerald", "kennedy")), ends(("john", "kennedy"))
    (('john', 'kennedy'), ())
    """
    return (words[0], words[-1]) if len(words) > 2 else ()
