"""Tasks of a world that has grown, their own pages hidden from them: what is hidden stays so, lists are looked at whole."""

import json

import pytest

from lite.evaluate import read_tasks
from lite.records import Task
from lite.tasks.check import check_all
from lite.tasks.grow import grow
from lite.tasks.make import make
from lite.world import World

LEE = "https://t.test/Ann_Lee"
BORN = {"op": "fact", "page": LEE, "relation": "born"}


@pytest.fixture
def grown(tmp_path, league_pages):
    """grown(tasks, {"name": "text"}): what comes of growing the league by a pool of such pages, sources masked."""

    def build(tasks: list[Task], pool: dict[str, str]) -> list[Task]:
        pages = [{"url": f"https://pool.test/{name}", "title": name, "doc": text} for name, text in pool.items()]
        (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in league_pages))
        (tmp_path / "pool.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
        World.build(tmp_path / "pages.jsonl", tmp_path / "world").close()
        return grow(tmp_path / "world", tasks, [tmp_path / "pool.jsonl"], mask_source=True)[1]

    return build


def born(**more: object) -> Task:
    return Task(id="x", question="When was Ann Lee born?", answers=("1 May 1980",), derivation=BORN, hops=1).model_copy(
        update={"answer_type": "date", **more}
    )


@pytest.mark.parametrize("pool", [{"Weather": "Rain is expected."}, {"Talk": "Ann Lee was born on 1 May 1980."}])
def test_what_was_masked_before_stays_masked_and_is_no_evidence(grown, tmp_path, pool):
    kept = grown([born(mask=(LEE,))], pool)
    if "Weather" in pool:
        assert kept == []
        return
    [task] = kept
    assert task.mask == (LEE,)
    assert task.evidence == ("https://pool.test/Talk",)
    with World.open(tmp_path / "world") as world:
        assert check_all(world, kept) == (kept, {})


def test_the_new_mask_is_the_old_one_and_the_evidence(grown):
    other = "https://t.test/Alba"
    [task] = grown([born(mask=(other,), evidence=(LEE,))], {"Talk": "Ann Lee was born on 1 May 1980."})
    assert task.mask == (other, LEE)


def test_a_list_that_another_page_says_member_by_member_is_sound(grown, league, tmp_path):
    make(league, tmp_path / "tasks.jsonl", 60, capabilities=["enumeration"], hop_range=(1, 1))
    made = next(task for task in read_tasks(tmp_path / "tasks.jsonl") if task.answer_type == "list")
    said = " and then ".join(reversed(made.answers[0].split("; ")))
    kept = grown([made], {"Talk": f"{made.question} I heard of {said}.", "Half": f"{made.question} I heard of none."})
    assert [task.evidence for task in kept] == [("https://pool.test/Talk",)]
    with World.open(tmp_path / "world") as world:
        assert check_all(world, kept) == (kept, {})
        short = kept[0].model_copy(update={"found_at": ["https://pool.test/Half"], "evidence": ()})
        assert check_all(world, [short])[1][made.id].why == "no page that is left says the answer"
