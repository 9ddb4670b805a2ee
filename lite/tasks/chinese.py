"""What Chinese prose states in patterns: no tables and no links are needed."""

# ruff: noqa: RUF001  # Chinese punctuation is meant

import re
from collections.abc import Iterator

_HAN = re.compile(r"[\u4e00-\u9fff]")
_NAME = r"[\u4e00-\u9fffA-Za-z0-9·]{2,14}"
_YEAR = r"(?:1[0-9]{3}|20[0-9]{2})年"
_DAY = rf"{_YEAR}\d{{1,2}}月\d{{1,2}}日"
# relation, kind, pattern; {x} is the subject's name. The value is the group "v".
_RULES = (
    ("出生日期", "text", rf"^{{x}}（(?:[^（）]{{0,40}}[，,；])?(?P<v>{_DAY})(?:[－—–\-~～][^（）]*)?）"),
    ("英文名", "text", r"^{x}（(?:[^（）]{0,12}[，,；])?(?:英文|英語|英语|英文名)[：:]\s?(?P<v>[A-Za-z][A-Za-z '.\-]{2,38}[A-Za-z.])[）；，]"),
    ("位置", "text", rf"^{{x}}(?:（[^（）]*）)?(?:是)?(?:位于|位於|坐落于|坐落於)(?P<v>{_NAME}?)(?:的|，|。|境内|境內)"),
    ("成立", "text", rf"(?:^|。){{x}}(?:（[^（）]*）)?(?:，)?(?:成立|創立|创立|創辦|创办|建立)于?於?(?P<v>{_YEAR}(?:\d{{1,2}}月(?:\d{{1,2}}日)?)?)"),
    ("面积", "text", r"(?:^|[，。])(?:总|總)?(?:面积|面積)(?:为|為|约|約)?(?P<v>[\d,.]+(?:万|萬)?平方(?:公里|千米|英里))(?=[，。（])"),
    ("导演", "text", rf"^{{x}}[^。]{{0,40}}由(?P<v>{_NAME})(?:执导|執導|导演|導演)"),
)
_RULES_OF_LISTS = (
    ("包括", r"(?:^|。)(?P<s>[^，。；：]{0,10}{x}[^，。；：]{0,10}?)(?:包括|包含|分为|分為|下辖|下轄|设有|設有)(?:了)?(?P<v>[^，。；：、]{2,14}(?:、[^，。；：、]{2,14})+(?:和|及|与|與|以及)[^，。；：、]{2,14})(?=。)"),
)  # fmt: skip
_MORE = re.compile(r"等|其他|其它|以及其|之一|部分|主要")


def is_chinese(text: str) -> bool:
    """Whether a page's opening is Chinese."""
    head = text[:200]
    return len(_HAN.findall(head)) * 3 > len(head)


def chinese_statements(text: str, subject: str) -> Iterator[tuple[str, str, str, int]]:
    """(relation, kind, value, place) of what the page says of its subject."""
    name = re.escape(re.sub(r"\s*[（(].*$", "", subject))
    if not name:
        return
    for relation, kind, pattern in _RULES:
        found = [*re.finditer(pattern.replace("{x}", name), text)]
        if len(found) == 1:
            yield relation, kind, found[0]["v"], found[0].start("v")


def chinese_lists(text: str, subject: str) -> Iterator[tuple[str, tuple[str, ...], int, int]]:
    """(what, members, start, end) of closed lists: "A下辖B、C和D。" with no "among others" in it."""
    name = re.escape(re.sub(r"\s*[（(].*$", "", subject))
    for _, pattern in _RULES_OF_LISTS:
        for found in re.finditer(pattern.replace("{x}", name), text):
            if not _MORE.search(found[0]):
                members = tuple(part for part in re.split(r"、|以及|和|及|与|與", found["v"]) if part)
                if len(members) > 1 and len(set(members)) == len(members):
                    yield text[found.start("s") : found.start("v")], members, found.start("v"), found.end("v")
