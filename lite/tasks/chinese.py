"""What Chinese prose states in patterns, and how it is asked for: no tables and no links are needed."""

# ruff: noqa: E501, RUF001  # a pattern is read whole, and Chinese punctuation is meant

import re
from collections.abc import Iterator

_HAN = re.compile(r"[\u4e00-\u9fff]")
_NAME = r"[\u4e00-\u9fffA-Za-z0-9·]{2,14}"
_PERSON = r"[\u4e00-\u9fff·]{2,10}"
_YEAR = r"(?:1[0-9]{3}|20[0-9]{2})年"
_DAY = rf"{_YEAR}\d{{1,2}}月\d{{1,2}}日"
_SINCE = rf"{_YEAR}(?:\d{{1,2}}月(?:\d{{1,2}}日)?)?"
_HEAD = r"^{x}(?:（[^（）]*）)?"
_SOON = r"[^。；]{0,40}?"
# relation -> pattern; {x} is the subject's name, the value is the group "v".
_RULES = {
    "出生日期": rf"^{{x}}（(?:[^（）]{{0,40}}[，,；])?(?P<v>{_DAY})(?:出生)?(?:[－—–\-~～，][^（）]*)?）",
    "英文名": r"^{x}（(?:[^（）]{0,20}[，,；])?(?:英文|英語|英语|英文名)[：:]\s?(?P<v>[A-Za-z][A-Za-z '.\-]{2,38}[A-Za-z.])[）；，,]",
    "表字": rf"{_HEAD}，(?:[^。，]{{0,6}}，)?字(?P<v>[\u4e00-\u9fff]{{2,3}})(?=，|。)",
    "原名": rf"{_HEAD}，(?:[^。，]{{0,6}}，)?(?:原名|本名)(?P<v>{_NAME})(?=，|。)",
    "所在地": rf"{_HEAD}(?:是)?(?:一座|一个|一個)?(?:位于|位於|坐落于|坐落於|地处|地處)(?P<v>[\u4e00-\u9fff·]{{1,14}}?[省市县縣区區州国國部岛島镇鎮乡鄉村街路府郡洲隅侧側角])(?=的|，|。|境内|境內)",
    "成立时间": rf"{_HEAD}{_SOON}(?:成立|创立|創立|创办|創辦|建立|创建|創建)(?:于|於)(?P<v>{_SINCE})",
    "成立时间 ": rf"{_HEAD}{_SOON}(?:于|於)(?P<v>{_SINCE})(?:成立|创立|創立|创办|創辦|建立|创建|創建)",
    "始建年份": rf"{_HEAD}{_SOON}(?:始建|兴建|興建|建)(?:于|於)(?P<v>{_YEAR})",
    "面积": rf"{_HEAD}[^。；]{{0,60}}?(?:总|總)?(?:面积|面積)(?:为|為)?(?P<v>[\d,.]+(?:万|萬)?平方(?:公里|千米))(?=[，。（])",
    "全长": rf"{_HEAD}[^。；]{{0,60}}?全(?:长|長)(?:为|為)?(?P<v>[\d,.]+(?:公里|千米|米|公尺))(?=[，。（])",
    "海拔": rf"{_HEAD}[^。；]{{0,60}}?海拔(?:高度)?(?:为|為)?(?P<v>[\d,.]+(?:米|公尺))(?=[，。（])",
    "导演": rf"{_HEAD}[^。；]{{0,60}}?由(?P<v>{_PERSON}?)(?:担任导演|擔任導演|执导|執導|导演|導演)(?=[，。、的])",
    "母校": rf"{_HEAD}[^。；]{{0,60}}?(?:毕业|畢業)(?:于|於)(?P<v>[\u4e00-\u9fff]{{2,12}}?(?:大学|大學|学院|學院|中学|中學))(?=[，。])",
    "作者": rf"{_HEAD}[^。；]{{0,40}}?(?:是|为|為)(?:[^。，；]{{0,12}}?(?:作家|小说家|小說家|漫画家|漫畫家))(?P<v>{_PERSON}?)(?:的|所著|创作|創作)",
}
_CLOSED = r"(?P<v>[^，。；：、（）「」《》\d]{2,12}(?:、[^，。；：、（）「」《》\d]{2,12})+(?:和|及|与|與|以及)[^，。；：、（）「」《》\d]{2,12}?)"
_LISTS = {
    "主演": rf"{_HEAD}[^。；]{{0,80}}?由{_CLOSED}(?:主演|联合主演|領銜主演|领衔主演)",
    "组成部分": rf"(?:^|。)[^。]{{0,12}}{{x}}[^。]{{0,24}}?由{_CLOSED}(?:组成|組成|构成|構成)(?=[，。])",
    "下辖": rf"(?:^|。)[^。]{{0,12}}{{x}}[^。，]{{0,20}}?(?:下辖|下轄|辖有|轄有|辖|轄){_CLOSED}(?=[，。])",
    "成员": rf"(?:^|。)[^。]{{0,20}}{{x}}[^。]{{0,40}}?(?:成员|成員)(?:包括|为|為|有|是)(?:了)?{_CLOSED}(?=。)",
    "分为": rf"(?:^|。)[^。]{{0,8}}{{x}}[^。，]{{0,16}}?(?:分为|分為|分成){_CLOSED}(?=。|，)",
}
_MORE = re.compile(r"等|其他|其它|以及其|之一|部分|主要|多个|多個|若干|某|这|這|该|該|其中")
_VAGUE = re.compile(r"^(?:地区|地區|内陆|內陸|当地|當地|此)|[和与與及、]")
_JOINT = re.compile(r"、|以及|和|及|与|與")
_QUESTIONS = {
    "出生日期": ("{}的出生日期是哪一天？", "{}出生于哪一天？", "{}生于何年何月何日？"),
    "英文名": ("{}的英文名是什么？", "{}用英文怎么写？", "{}的英文名称叫什么？"),
    "表字": ("{}字什么？", "{}的表字是什么？"),
    "原名": ("{}原名叫什么？", "{}的原名是什么？"),
    "所在地": ("{}位于哪里？", "{}在什么地方？", "{}坐落于何处？"),
    "成立时间": ("{}是什么时候成立的？", "{}成立于何时？", "{}创立于何时？"),
    "始建年份": ("{}始建于哪一年？", "{}是哪一年兴建的？"),
    "面积": ("{}的面积是多少？", "{}有多大面积？"),
    "全长": ("{}全长多少？", "{}的全长是多少？"),
    "海拔": ("{}的海拔是多少？", "{}海拔有多高？"),
    "导演": ("{}的导演是谁？", "{}由谁执导？", "谁导演了{}？"),
    "母校": ("{}毕业于哪所学校？", "{}的母校是哪一所？"),
    "作者": ("{}的作者是谁？", "{}是谁的作品？"),
    "主演": ("{}由哪些人主演？请全部列出。", "{}的主演有哪几位？"),
    "组成部分": ("{}由哪些部分组成？请全部列出。", "组成{}的是哪几个部分？"),
    "下辖": ("{}下辖哪些地方？请全部列出。", "{}辖有哪几个地方？"),
    "成员": ("{}的成员有哪些？请全部列出。", "{}有哪几位成员？"),
    "分为": ("{}分为哪几类？请全部列出。", "{}可以分成哪些部分？"),
}  # fmt: skip


def is_chinese(text: str) -> bool:
    """Whether a page's opening is Chinese."""
    head = text[:200]
    return len(_HAN.findall(head)) * 3 > len(head)


def chinese_statements(text: str, subject: str) -> Iterator[tuple[str, str, str, int]]:
    """(relation, kind, value, place) of what the page says of its subject; of a list, kind is "several"."""
    name = re.escape(re.sub(r"\s*[（(].*$", "", subject))
    if not name:
        return
    for relation, pattern in _RULES.items():
        found = [*re.finditer(pattern.replace("{x}", name), text)]
        if len(found) == 1 and found[0]["v"] != subject and not _VAGUE.search(found[0]["v"]):
            yield relation.strip(), "text", found[0]["v"], found[0].start("v")
    for relation, pattern in _LISTS.items():
        found = [*re.finditer(pattern.replace("{x}", name), text)]
        if len(found) == 1 and not _MORE.search(found[0][0]) and len(set(chinese_members(found[0]["v"]))) > 1:
            yield relation, "several", found[0]["v"], found[0].start("v")


def chinese_members(said: str) -> list[str]:
    """The members of a list: "A、B和C"."""
    return [part for part in _JOINT.split(said) if part]


def chinese_questions(relation: str) -> tuple[str, ...]:
    """Questions for a stated relation; none where it is not a Chinese one."""
    return _QUESTIONS.get(relation, ())
