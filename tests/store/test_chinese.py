# ruff: noqa: RUF001  # Chinese punctuation is meant
"""Chinese in both scripts: a question in one finds, shows and reads pages in the other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lite.index import text
from lite.index.text import terms
from lite.world import World

WorldOf = Callable[..., World]
TABLE = Path(text.__file__).with_name("chinese.txt").read_text(encoding="utf-8").splitlines()


def test_the_table_is_of_single_characters_and_folding_twice_changes_nothing() -> None:
    traditional, simplified = TABLE
    assert len(traditional) == len(simplified) > 3000
    assert len(set(traditional)) == len(traditional)
    assert not set(traditional) & set(simplified)
    pairs = dict(zip(traditional, simplified, strict=True))
    for one, other in {"機": "机", "學": "学", "臺": "台", "裡": "里", "龍": "龙", "後": "后", "國": "国"}.items():
        assert pairs[one] == other


def test_both_scripts_have_the_same_terms() -> None:
    assert (
        terms("臺灣大學的iPhone手機")
        == terms("台湾大学的iPhone手机")
        == ["台湾", "湾大", "大学", "学的", "iphon", "手机"]
    )
    assert terms("皇后") == terms("皇后")
    assert terms("カメラ") != terms("手機")


@pytest.mark.parametrize("phrase", [False, True])
def test_a_question_in_one_script_finds_and_shows_the_other(world_of: WorldOf, phrase) -> None:
    filler = "".join(f"第{n}年没有事情发生。" for n in range(60))
    world = world_of(
        {
            "traditional": f"{filler}\n\n張學良發動了西安事變。\n\n{filler}",
            "simplified": f"{filler}\n\n张学良发动了西安事变！\n\n{filler}",
        }
    )
    for query in ("西安事變", "西安事变", "張學良發動", "张学良发动"):
        shown = {hit.title: hit.snippet for hit in world.search(query, phrase=phrase)}
        assert set(shown) == {"traditional", "simplified"}, query
        assert "張學良發動了西安事變。" in shown["traditional"]  # as it is written there
        assert "张学良发动了西安事变！" in shown["simplified"]
        for name in shown:
            seen = world.visit(f"https://w.test/{name}", query, words=30)
            assert ("西安事變" if name == "traditional" else "西安事变") in seen.evidence
            assert ("西安事變" if name == "traditional" else "西安事变") in seen.summary


@pytest.mark.parametrize("phrase", [False, True])
def test_a_single_character_is_found_among_its_neighbours(world_of: WorldOf, phrase) -> None:
    world = world_of(
        {
            "front": "茶叶来自山上。",
            "back": "他们喝绿茶。",
            "title": "…",
            "other": "咖啡来自海边。",
            "long": f"{'海边有人。' * 99}\n\n山上種茶葉。",
        }
    )
    assert {hit.title for hit in world.search("茶", phrase=phrase)} == {"front", "back", "long"}
    assert len(world.search("茶、海", phrase=phrase)) == (0 if phrase else 4)
    (hit,) = [hit for hit in world.search("茶", phrase=phrase) if hit.title == "long"]
    assert hit.snippet == "山上種茶葉。"
    assert "茶葉" in world.visit("https://w.test/long", "茶", words=20).evidence


def test_chinese_questions_lead_to_their_pages_in_either_script(shared: Path, tmp_path: Path) -> None:
    lines = (shared / "chinese" / "questions.jsonl").read_text(encoding="utf-8").splitlines()[::10]
    turned = str.maketrans(TABLE[1], TABLE[0])  # the last of several traditional forms: not good style, but Chinese
    with World.build(shared / "chinese" / "pages.jsonl.zst", tmp_path / "world") as world:
        for convert in (str, lambda question: question.translate(turned)):
            found = 0
            for line in lines:
                task = json.loads(line)
                found += world.resolve(task["evidence"][0]) in {
                    hit.url for hit in world.search(convert(task["question"]))
                }
            assert found >= 0.98 * len(lines)
