"""Names alike: the index finds what comparing with every name finds; spelling does not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz

from monitor.core.names import LEAST, NameIndex
from monitor.core.spelling import spellings

WORDS = st.sampled_from(
    ["li", "wei", "wen", "wang", "zhang", "xiaoming", "global", "globel", "trading", "Ltd", "de", "Müller"]
)
HAN = st.text(st.sampled_from("張张伟偉章王芳明晓曉欧阳银行中国农業业公司"), min_size=1, max_size=6)
NAMES = st.one_of(
    st.lists(WORDS, min_size=1, max_size=5).map(" ".join),
    HAN,
    st.sampled_from(["Чжан Вэй", "Ван Фан", "..."]),
)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=2), max_size=8), NAMES)
def test_the_index_finds_what_looking_at_every_name_finds(entries, name):
    alone = [NameIndex([names]).best(name)[0] for names in entries]
    best = max(alone, default=0.0)
    index = NameIndex(entries)
    assert index.best(name) == ((best, alone.index(best)) if best else (0.0, -1))
    found = [(score, place) for place, score in enumerate(alone) if score]
    assert list(index.ranked(name)) == sorted(found, key=lambda one: (-one[0], one[1]))


@given(NAMES, NAMES)
def test_a_score_is_never_above_that_of_the_letters_in_the_best_order(one, other):
    score, place = NameIndex([[one]]).best(other)
    assert place == (0 if score else -1)
    assert score == 0 or LEAST <= score <= 100
    if score and all(x.script == "latin" for x in (*spellings(one), *spellings(other))):
        words = [next(spellings(name)).words[0] for name in (one, other)]
        if max(map(len, words)) <= 2:
            either = [fuzz.ratio(" ".join(words[0][::step]), " ".join(words[1])) for step in (1, -1)]
            assert score == round(max(either), 1)


@given(st.lists(WORDS, min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_case_order_punctuation_and_accents_do_not_matter(words, random):
    shuffled = list(words)
    random.shuffle(shuffled)
    written = ", ".join(shuffled).upper().replace("Ü", "U")
    assert NameIndex([[" ".join(words)]]).best(written) == (100.0, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("張偉", "张伟"),
        ("曾國藩", "Zeng Guofan"),
        ("歐陽修", "Ouyang Xiu"),
        ("张晓明", "Xiao-Ming ZHANG"),
        ("单田芳", "SHAN Tianfang"),
        ("吕布", "Lu Bu"),
        ("Владимир Иванов", "Vladimir Ivanov"),
        ("Seán O'Brien", "OBRIEN Sean"),
        ("Łukasz Żółw", "Lukasz Zolw"),
        ("John Fitzgerald Kennedy", "John Kennedy"),
        ("Global Trading Ltd.", "GLOBAL TRADING LIMITED"),
        ("Acme S.A.", "ACME SA"),
        ("华为技术有限公司", "華為技術"),
        ("Kim Jong Un", "KIM Jong-un"),
        ("Mohammed Hassan Ali", "Mohamed Hassan Ali"),
    ],
)
def test_the_same_name_written_otherwise_scores_90_at_least(one, other):
    assert NameIndex([[one]]).best(other)[0] >= 90
    assert NameIndex([[other]]).best(one)[0] >= 90


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Li Wei", "Li Wen"),
        ("Wang Wei", "Wang Lei"),
        ("张伟", "章伟"),
        ("张伟", "张卫"),
        ("王伟", "张伟"),
        ("Ali", "Alibaba Group"),
        ("中国银行股份有限公司", "中国农业银行股份有限公司"),
        ("Maria Garcia", "Mario Garcia Lopez Fernandez"),
        ("Bank of China", "Bank of Chile"),
        ("John Smith", "Joan Smythe"),
        ("Global Trading Ltd", "Global Training Ltd"),
    ],
)
def test_names_that_look_alike_but_are_others_score_below_90(one, other):
    assert NameIndex([[one]]).best(other)[0] < 90
    assert NameIndex([[other]]).best(one)[0] < 90


def test_the_same_sound_in_other_characters_scores_less_than_the_same_name_in_another_script():
    index = NameIndex([["张伟"]])
    assert index.best("章伟")[0] == 80.0 < index.best("Zhang Wei")[0] == 92.0 < index.best("張偉")[0] == 100.0
