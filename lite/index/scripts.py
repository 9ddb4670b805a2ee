"""What scripts are like: which are written without spaces, and which marks are no part of a word.

`FOLDING` takes accents and points off everything but Latin, which the analyzer does itself. It also takes off the signs
at which the analyzer would cut a word (a virama, a tone mark), so that words and terms agree for every character.
"""

import re
import unicodedata

# Accents and stress marks, the points of Hebrew and Arabic; of others the signs that the analyzer cuts words at.
_MARKS = frozenset(
    code
    for first, last in (
        (0x300, 0x36F), (0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x5C4, 0x5C5), (0x5C7, 0x5C7), (0x610, 0x61A),
        (0x640, 0x640), (0x64B, 0x65F), (0x670, 0x670), (0x6D6, 0x6DC), (0x6DF, 0x6E8), (0x6EA, 0x6ED),
        (0x951, 0x954), (0x9FE, 0x9FE), (0xAFD, 0xAFF), (0xB55, 0xB55), (0xD3B, 0xD3B), (0xDCA, 0xDCA),
        *((block + 0x3C, block + 0x3C) for block in range(0x900, 0xD80, 0x80)),
        *((block + 0x4D, block + 0x4D) for block in range(0x900, 0xD80, 0x80)),
        (0xE47, 0xE4E), (0xEBA, 0xEBA), (0xEC8, 0xECD), (0x1037, 0x1037), (0x1039, 0x103A),
        (0x17B4, 0x17B5), (0x17C9, 0x17D3),
    )
    for code in range(first, last + 1)
)  # fmt: skip


def _signs(first: int, last: int, kinds: str) -> str:
    """The characters of a block whose category begins with one of `kinds`, less those that fold away."""
    block = (chr(code) for code in range(first, last + 1) if code not in _MARKS)
    return "".join(one for one in block if unicodedata.category(one).startswith(tuple(kinds)))


# Han (with extensions and compatibility forms), hiragana, katakana; Thai, Lao, Burmese, Khmer.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff" + "".join(
    _signs(*block, "LM") for block in ((0xE01, 0xE4E), (0xE81, 0xECD), (0x1000, 0x103F), (0x1780, 0x17D3))
)
INDIC = _signs(0x900, 0xDFF, "M")  # vowels that are marks, and no letters to a pattern
MARKED = re.compile("[\u0130\u0300-\u0e4e\u0e80-\u103f\u1780-\u17d3\u1f00-\u1fff]")  # where marks stand that fold away


class _Folding(dict[int, str]):
    """A character -> what is left of it without marks; filled as they are met. Of Latin the analyzer does it."""

    def __missing__(self, code: int) -> str:
        one = chr(code)
        parts = unicodedata.normalize("NFD", one) if MARKED.match(one) else one
        self[code] = "".join(part for part in parts if ord(part) not in _MARKS)
        return self[code]


FOLDING = _Folding()
