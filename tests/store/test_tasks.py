"""Tasks from a real small world: made, checked against its pages, masked, grown, split, written and read."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from random import Random

import pytest
from click.testing import CliRunner

from lite.cli import lite as command
from lite.curriculum import read_filter, select
from lite.errors import UsageError, WorldError
from lite.evaluate import read_tasks
from lite.records import Task
from lite.reward import exact
from lite.tasks.check import check_all, names_answer, says_a_step
from lite.tasks.compose import describe
from lite.tasks.derive import Answer, Item, derive, hops
from lite.tasks.entities import entities
from lite.tasks.enumeration import known_of_all
from lite.tasks.facts import fact_store
from lite.tasks.files import export_tasks, import_tasks
from lite.tasks.ground import Ground
from lite.tasks.grow import grow
from lite.tasks.make import MAKERS, make
from lite.tasks.spell import spellings
from lite.tasks.split import SPLITS, split_by_entity
from lite.tasks.values import Value, read_value
from lite.world import World


@pytest.fixture
def world(league):
    return league


@pytest.fixture(scope="module")
def made(league, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "tasks.jsonl"
    tally = make(league, out, 150, seed=3)
    return [Task.from_json(line) for line in out.read_text().splitlines()], tally


def test_every_capability_and_several_hops(made):
    tasks, tally = made
    assert {task.capability for task in tasks} == set(MAKERS)
    assert {1, 2, 3} <= {task.hops for task in tasks}
    assert max(len(task.evidence) for task in tasks) <= 8
    assert sum(tally.made.values()) == len(tasks) + sum(sum(counts.values()) for counts in tally.rejected.values())


def test_what_was_made_is_sound_and_says_where_it_stands(world, made):
    tasks, _ = made
    sound, rejected = check_all(world, tasks)
    assert not rejected
    assert sound == tasks
    for task in tasks:
        assert set(task.evidence) == {url for url, _, _ in task.spans}
        assert all(world.visit(url).found for url in task.evidence)
        assert len({json.dumps(task.derivation) for task in tasks}) == len(tasks)


def test_the_same_seed_gives_the_same_and_another_does_not(world, made, tmp_path):
    make(world, tmp_path / "a.jsonl", 150, seed=3)
    make(world, tmp_path / "b.jsonl", 150, seed=4)
    assert [Task.from_json(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == made[0]
    assert (tmp_path / "a.jsonl").read_text() != (tmp_path / "b.jsonl").read_text()


def test_a_killed_run_goes_on_to_the_same_tasks(world, made, tmp_path):
    out = tmp_path / "tasks.jsonl"

    def stop(done: int, total: int) -> None:
        if done == 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(world, out, 150, seed=3, progress=stop)
    assert not out.exists()
    part = out.with_name("tasks.jsonl.part")
    part.write_bytes(part.read_bytes()[:-20])  # the line that was being written
    searched: list[str] = []
    original = world.search
    world.search = lambda *a, **k: searched.append(a[0]) or original(*a, **k)
    try:
        make(world, out, 150, seed=3)
    finally:
        del world.search
    assert [Task.from_json(line) for line in out.read_text().splitlines()] == made[0]
    assert not part.exists()
    assert len(searched) < sum(made[1].made.values()) / 2  # what was settled is not searched again


def test_a_count_that_does_not_divide_is_no_fault_of_the_world(world, tmp_path):
    for count in (3, 6):
        tally = make(world, tmp_path / f"{count}.jsonl", count)
        assert [tally.kept[name] for name in MAKERS] == [count // 5 + (n < count % 5) for n in range(5)]
        assert tally.lost == {}


def test_hops_and_capabilities_asked_for(world, tmp_path):
    make(world, tmp_path / "t.jsonl", 20, capabilities=["direct"], hop_range=(2, 3))
    tasks = [Task.from_json(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert {task.capability for task in tasks} == {"direct"}
    assert {task.hops for task in tasks} <= {2, 3}
    with pytest.raises(UsageError, match=r"no capability is called 'dirrect': known are direct"):
        make(world, tmp_path / "u.jsonl", 5, capabilities=["dirrect"])
    with pytest.raises(UsageError, match="is there already"):
        make(world, tmp_path / "t.jsonl", 5)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"answers": ("yes",)}, "specific"),
        ({"answers": ("",)}, "specific"),
        ({"answers": ("one two three four five six seven eight nine",)}, "specific"),
        ({"answers": ("Nobody",)}, "answerable"),
        ({"derivation": None}, "answerable"),
        ({"question": "Tell me of it."}, "closed"),
        ({"question": "Why is Alba a club?"}, "closed"),
        ({"question": "Who is the current captain of Alba?"}, "bound to time"),
        ({"question": f"Who is the captain of {'really ' * 40}Alba?"}, "readable"),
        ({"question": "Who is it?"}, "self-contained"),
        ({"evidence": ()}, "evidence"),
        ({"evidence": ("https://t.test/none",)}, "evidence"),
        ({"spans": (("https://t.test/2010_league", 5, 99999),)}, "evidence"),
        ({"hops": 3}, "hops"),
    ],
)
def test_each_check_rejects_what_it_is_for(world, made, change, check):
    task = next(
        task for task in made[0] if task.hops == 1 and task.answer_type == "name" and task.capability == "direct"
    )
    _, rejected = check_all(world, [task.model_copy(update=change)])
    assert rejected[task.id].check == check


def test_an_answer_that_the_question_says_and_a_step_that_it_names():
    task = Task(id="x", question="Which college did Ann play for, San Diego State?", answers=("San Diego State",))
    assert names_answer(task)
    node = {"op": "find", "table": ["u", 0], "where": [["College", "is", "San Diego State"]], "get": "College"}
    task = Task(
        id="x",
        question="For San Diego State, which?",
        answers=("San Diego University",),
        answer_type="name",
        derivation=node,
    )
    assert names_answer(task)
    assert says_a_step(Task(id="x", question="When was Ann Lee born?", answers=("1980",), unsaid=["Ann Lee"]))
    circle = "Who directed the film whose director is the one listed for France in it?"
    assert says_a_step(Task(id="x", question=circle, answers=("Ann Lee",), unsaid=["Moon", "Ann Lee"]))


def test_a_second_table_of_the_same_name_makes_it_ambiguous(world, made, tmp_path, league_pages):
    task = next(t for t in made[0] if "https://t.test/2010_league" in t.evidence)
    twin = dict(league_pages[0], url="https://t.test/twin")
    twin["doc"] = twin["doc"].replace("Rome", "Bonn")
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in [*league_pages, twin]))
    with World.build(tmp_path / "pages.jsonl", tmp_path / "world") as other:
        _, rejected = check_all(other, [task])
    assert rejected[task.id].check == "unambiguous"


def test_tables_that_all_end_at_one_row_are_no_ground_for_counting(tmp_path):
    def page(n: int, rows: int) -> dict[str, str]:
        lines = [
            f"| Club{chr(97 + n // 9)}{chr(97 + n % 9)}{chr(97 + row)} | {'Rome' if row < 3 else 'Oslo'} |"
            for row in range(rows)
        ]
        text = "## Teams\n\n| Club | City |\n|---|---|\n" + "\n".join(lines) + "\n"
        return {"url": f"https://t.test/{n}", "title": f"{1900 + n} league", "doc": text}

    def counting(n: int) -> Task:
        find = {"op": "find", "table": [f"https://t.test/{n}", 0], "where": [["City", "is", "Rome"]], "get": "Club"}
        return Task(
            id=str(n),
            question=f'How many clubs whose city is Rome are there in the "Teams" table of the article on {1900 + n} league?',
            answers=("3",),
            evidence=(f"https://t.test/{n}",),
            derivation={"op": "count", "of": find},
            hops=1,
            answer_type="number",
        )

    pages = [page(n, 12) for n in range(60)] + [page(n, 8) for n in range(60, 65)]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(one) + "\n" for one in pages))
    with World.build(tmp_path / "pages.jsonl", tmp_path / "world") as cut:
        sound, rejected = check_all(cut, [counting(3), counting(62)])
        tally = make(cut, tmp_path / "t.jsonl", 40, capabilities=["enumeration", "direct"])
    assert rejected["3"].check == "complete", rejected
    assert [task.id for task in sound] == ["62"]
    assert "complete" not in tally.rejected  # makers do not propose what is rejected anyway
    assert {
        task.evidence[0].rpartition("/")[2]
        for task in read_tasks(tmp_path / "t.jsonl")
        if task.capability == "enumeration"
    } == {str(n) for n in range(60, 65)}


def test_a_page_that_changed_is_seen(made, tmp_path, league_pages):
    changed = [dict(page, doc=page["doc"].replace("8000", "8001")) for page in league_pages]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in changed))
    find = {
        "op": "find",
        "table": ["https://t.test/2010_league", 0],
        "where": [["Club", "is", "Alba"]],
        "get": "Capacity",
    }
    task = Task(
        id="x",
        question='In the "Teams" table of "2010 league", what is the capacity of Alba?',
        answers=("8000",),
        evidence=("https://t.test/2010_league",),
        derivation=find,
        hops=1,
        answer_type="number",
    )
    with World.build(tmp_path / "pages.jsonl", tmp_path / "world") as other:
        _, rejected = check_all(other, [task])
    assert rejected["x"].check == "answerable"
    assert "8001" in rejected["x"].why


# ---------------------------------------------------------------- grow


def test_growing_adds_support_and_near_misses_and_marks_what_contradicts(tmp_path, league_pages):
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in league_pages))
    pool = [
        {"url": "https://pool.test/lee", "title": "Interview", "doc": "Ann Lee was born on 1 May 1980, she told us."},
        {"url": "https://pool.test/wrong", "title": "Rumour", "doc": "Ann Lee was born on 3 June 1979, some say."},
        {"url": "https://pool.test/far", "title": "Weather", "doc": "Rain is expected over the hills tomorrow."},
    ]
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pool))
    World.build(tmp_path / "pages.jsonl", tmp_path / "world").close()
    task = Task(
        id="x",
        question="When was Ann Lee born?",
        answers=("1 May 1980",),
        evidence=("https://t.test/Ann_Lee",),
        derivation={"op": "fact", "page": "https://t.test/Ann_Lee", "relation": "born"},
        hops=1,
        answer_type="date",
    )
    lost = task.model_copy(
        update={
            "id": "y",
            "question": "When was Bob Roe born?",
            "answers": ("2 May 1980",),
            "evidence": ("https://t.test/Bob_Roe",),
        }
    )
    growth, kept = grow(tmp_path / "world", [task, lost], [tmp_path / "pool.jsonl"], mask_source=True)
    assert (growth.support, growth.distractors, growth.dropped) == (1, 1, 1)
    [one] = kept
    assert one.mask == ("https://t.test/Ann_Lee",)
    assert one.evidence == ("https://pool.test/lee",)
    assert one.derivation
    assert one.derivation["distractors"] == ["https://pool.test/wrong"]
    with World.open(tmp_path / "world") as grown:
        assert check_all(grown, kept) == (kept, {})
        assert grown.resolve("https://pool.test/wrong")
        assert not grown.resolve("https://pool.test/far")


# ---------------------------------------------------------------- split, select, files


def test_no_entity_is_in_two_splits(made):
    parts = split_by_entity(made[0], seed=1)
    told = [task for name in SPLITS for task in parts[name]]
    assert len(told) > 0.5 * len(made[0])
    assert all(parts[name] for name in SPLITS)
    split = {}
    for task in told:
        for name in task.entities:
            assert split.setdefault(name, task.split) == task.split
    in_two = [task for task in made[0] if task.id not in {one.id for one in told}]
    assert all(len({split.get(name) for name in task.entities}) > 1 for task in in_two)
    assert split_by_entity(made[0], seed=1) == parts
    assert split_by_entity(made[0], seed=2) != parts
    with pytest.raises(UsageError, match="leave nothing to train on"):
        split_by_entity(made[0], test=0.7, dev=0.3)


def test_where_table_and_page_differ_the_page_decides(world, tmp_path):
    make(world, tmp_path / "t.jsonl", 150, capabilities=["verification"])
    [task] = [task for task in read_tasks(tmp_path / "t.jsonl") if task.form == "own page: official"]
    assert task.answers == ("Oslo",)  # the table of 2012 says Lima
    assert task.entities == ["Fortuna", "Lima", "Oslo"]


def test_descriptions_of_several_look_ups_find_what_they_mean(world):
    store = fact_store(world)
    ground = Ground(store)
    found = {}
    for page in ("https://t.test/Alba", "https://t.test/Kim_Low"):
        for depth in (1, 2):
            made = [describe(page, ground, Random(seed), depth, frozenset()) for seed in range(12)]
            for one in filter(None, made):
                assert hops(one.node) == depth
                assert {item.link for item in derive(one.node, ground).items} == {page}
                assert not [name for name in one.hidden if name in one.phrase]
                found.setdefault((page, depth), set()).add(one.node["get"])
    assert found["https://t.test/Alba", 2] == {"Club"}  # the club whose captain is one that another table names
    assert found["https://t.test/Kim_Low", 2] == {"Captain"}  # the captain of a club that another table describes
    store.close()


def test_a_page_is_no_second_step_for_what_the_table_shows(world):
    store = fact_store(world)
    ground = Ground(store)
    sheet = ground.sheet("https://t.test/2010_league", 0)
    assert sheet
    few = replace(sheet, rows=sheet.rows[:5])
    assert set(ground.statements(few.rows[0][0].link)) == {"City", "founded"}
    assert known_of_all(few, ground) == []  # both are columns
    bare = replace(few, header=("Club", "Place", "Captain", "Capacity", "Year"))
    assert known_of_all(bare, ground) == ["City", "founded"]
    assert known_of_all(replace(bare, rows=sheet.rows), ground) == []  # twelve pages are too many to read
    store.close()


def test_a_cell_that_names_two_is_no_answer_though_it_links_to_one(world):
    store = fact_store(world)
    ground = Ground(store)

    def spelled(text: str) -> tuple[str, ...]:
        item = Item(Value("text", text), "https://t.test/Alba", "https://t.test/x", 0, 9)
        return spellings({"op": "find"}, Answer([item]), ground, "")

    assert spelled("Alba Borussia") == ()
    assert spelled("Alba Athletic") == ("Alba Athletic", "Alba")
    assert spelled("Alba") == ("Alba",)
    assert spellings({"op": "sum"}, Answer(number=41232400000000.0), ground, "$")[0] == "$41,232,400,000,000"
    assert spellings({"op": "difference"}, Answer(number=1234.25), ground, "")[0] == "1,234.25"


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("US$", "US$12.5", ["US$12.5", "$12.5", "12.5 dollars"]),
        ("$million", "$12.5 million", ["$12.5 million", "$12,500,000"]),
        ("million", "12.5", ["12.5 million", "12.5"]),
        ("$", "12.5", ["$12.5", "12.5"]),
        ("km", "12.5", ["12.5 km", "12.5"]),
    ],
)
def test_money_and_units_are_spelled_as_people_write_them(world, unit, value, said):
    store = fact_store(world)
    cell = Item(read_value(value), "", "https://t.test/x", 0, 1)
    reckoned = spellings({"op": "sum"}, Answer(number=12.5, unit=unit), Ground(store), "")
    read = spellings({"op": "find"}, Answer([cell]), Ground(store), unit)
    store.close()
    assert (reckoned[0], read[0]) == (said[0], said[0])
    for text in said:
        assert exact(text, reckoned), text
        assert exact(text, read), text
    store.close()


def test_entities_are_what_is_asked_about_what_lies_on_the_way_and_what_answers(world):
    store = fact_store(world)
    ground = Ground(store)
    league = ["https://t.test/2010_league", 0]
    captain = {"op": "find", "table": league, "where": [["Club", "is", "Alba"]], "get": "Captain"}
    rome = {"op": "find", "table": league, "where": [["City", "is", "Rome"]], "get": "Club"}
    assert entities({"op": "fact", "page": captain, "relation": "born"}, ground) == ["Alba", "Ann Lee"]
    for op in ("list", "count"):
        assert entities({"op": op, "of": rome}, ground) == ["Alba", "Borussia", "Calcio"]
    sums = {"op": "sum", "of": {**rome, "get": "Capacity"}}
    assert entities(sums, ground) == ["Alba", "Borussia", "Calcio"]
    assert entities({"op": "most", "of": rome, "by": "Capacity"}, ground) == ["Calcio"]
    described = {"op": "find", "table": league, "where": [["Captain", "is", captain]], "get": "City"}
    assert entities(described, ground) == ["Alba", "Ann Lee", "Rome"]
    store.close()


def test_tasks_of_others_are_parted_by_their_evidence_and_answer():
    pages = ["https://a.test/1", "https://a.test/2", "https://a.test/3"]
    tasks = [
        Task(id=f"t{n}", question="Q?", answers=(f"answer {n % 50}",), evidence=(pages[n % 3] + f"/{n % 20}",))
        for n in range(200)
    ]
    parts = split_by_entity(tasks)
    assert sum(map(len, parts.values())) > 100
    seen = {}
    for name, chosen in parts.items():
        for task in chosen:
            for key in (task.answers[0], task.evidence[0]):
                assert seen.setdefault(key, name) == name


RATED = [
    Task(id=f"t{n}", question="Which?", answers=("x",), capability="direct" if n % 3 else "statistics", hops=1 + n % 2)
    .model_copy(update={"tries": 8, "correct": n % 9, "closed_tries": 8, "closed_correct": int(n == 4)})
    for n in range(40)
]  # fmt: skip


def test_select_filters_balances_and_says_why():
    chosen = select(RATED, keep="1 <= correct <= 7 and capability in ['direct', 'statistics']", not_closed_book=True)
    assert {task.correct for task in chosen} == set(range(1, 8))
    assert "t4" not in {task.id for task in chosen}
    assert (
        chosen[0].why
        == "keep 1 <= correct <= 7 and capability in ['direct', 'statistics']; 1 of 8 tries right; not answered closed-book"
    )
    even = select(RATED, balance=["capability", "hops"])
    counts = {(t.capability, t.hops): sum((o.capability, o.hops) == (t.capability, t.hops) for o in even) for t in even}
    assert len(counts) == 4
    assert len(set(counts.values())) == 1
    assert len(select(RATED, balance=["capability"], limit=9)) == 9


BARE = Task(id="bare", question="Which?", answers=("x",))


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("correct != 0", ["rated"]),
        ("correct not in [0, 1]", ["rated"]),
        ("8 not in [correct]", []),
        ("hops != 2", ["rated"]),
        ("capability not in ['direct']", []),
        ("correct", ["rated"]),
        ("correct == None", ["bare"]),
        ("mask == []", ["rated", "bare"]),
        ("mask != []", []),
        ("correct != None", ["rated"]),
        ("not correct == 8", ["bare"]),
    ],
)
def test_a_comparison_with_a_field_that_a_task_lacks_is_false(keep, left):
    rated = BARE.model_copy(update={"id": "rated", "hops": 1, "tries": 8, "correct": 8})
    assert [task.id for task in select([rated, BARE], keep=keep)] == left


def test_what_was_never_tried_closed_book_is_not_said_to_have_failed_it():
    tried, never = (BARE.model_copy(update={"id": str(n), "closed_tries": n, "closed_correct": 0}) for n in (4, 0))
    assert [(task.id, task.why) for task in select([tried, never, BARE], not_closed_book=True)] == [
        ("4", "not answered closed-book")
    ]
    with pytest.raises(UsageError, match="no closed-book pass"):
        select([never, BARE], not_closed_book=True)
    [only] = select([BARE.model_copy(update={"correct": 1})])
    assert only.why == "all are kept"


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("1 <=", "is no filter"),
        ("corect > 1", "did you mean correct"),
        ("__import__('os').system('true')", "it has no call"),
        ("correct.real > 1", "it has no attribute"),
        ("(lambda: 1)() > 0", "it has no call"),
        ("correct is None", "compares with"),
        ("[x for x in y]", "it has no listcomp"),
        ("x" * 2000, "is no filter"),
        ("correct ** 9 > 1", "it has no binop"),
    ],
)
def test_a_filter_that_is_none_is_one_line(expression, why):
    with pytest.raises(UsageError, match=why):
        read_filter(expression, ["correct", "hops"])


def test_a_filter_on_a_field_that_a_task_lacks_is_false():
    assert not read_filter("hops > 1", ["hops"])({"hops": None})
    assert not read_filter("hops > 1", ["hops"])({})
    assert read_filter("not hops > 1", ["hops"])({})


def test_files_of_the_public_layout_there_and_back(made, tmp_path):
    tasks = [
        task.model_copy(update={"mask": ("https://t.test/Ann_Lee", "https://t.test/Alba")}) for task in made[0][:5]
    ]
    export_tasks(tasks, tmp_path / "t.parquet", "2026-01-01")
    assert import_tasks(tmp_path / "t.parquet") == tasks
    import pyarrow.parquet as pq

    row = pq.read_table(tmp_path / "t.parquet").to_pylist()[0]
    for tool in ("search", "visit", "browse"):
        assert row["extra_info"]["tools_kwargs"][tool]["create_kwargs"]["url"] == "https://t.test/Ann_Lee"
    assert row["reward_model"]["ground_truth"]["target"] == list(tasks[0].answers)
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    with pytest.raises(UsageError, match="says no format"):
        export_tasks(tasks, tmp_path / "t.csv", "2026-01-01")


def test_rows_without_our_metadata_are_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "question": "When?",
            "data_source": "rag",
            "prompt": [{"role": "user", "content": " Question: When?"}],
            "reward_model": {"ground_truth": {"target": ["1980"]}, "style": "llm"},
            "extra_info": {"index": "7", "mask_url": "https://a.test/x"},
        }
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    [task] = import_tasks(tmp_path / "t.parquet")
    assert (task.id, task.question, task.answers, task.mask) == ("rag-7", "When?", ("1980",), ("https://a.test/x",))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="no Parquet file"):
        import_tasks(tmp_path / "bad.parquet")


# ---------------------------------------------------------------- the fact store and the command


def test_the_fact_store_is_made_once_and_again_for_other_pages(world, tmp_path, league_pages):
    store = fact_store(world)
    before = store.path.stat().st_mtime_ns
    assert store.counts()["tables"] == 2
    assert store.about["world"] == world.digest
    assert {fact.value for fact in store.look("alba", 50) if fact.relation == "Founded"} == {"1900"}
    store.close()
    assert fact_store(world).path.stat().st_mtime_ns == before
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in league_pages[:1]))
    World.build(tmp_path / "pages.jsonl", tmp_path / "world").close()
    with World.open(tmp_path / "world") as small:
        assert fact_store(small).counts()["tables"] == 1
        (tmp_path / "more.jsonl").write_text(json.dumps(league_pages[1]) + "\n")
        with small.add(tmp_path / "more.jsonl") as grown:
            assert fact_store(grown).counts()["tables"] == 2


def test_one_process_makes_the_fact_store_and_the_other_finds_it(world, tmp_path, monkeypatch):
    from lite.index.lock import writing
    from lite.tasks import facts

    copy = shutil.copytree(world.path, tmp_path / "world")
    (copy / "facts.sqlite").unlink(missing_ok=True)

    @contextmanager
    def after_the_other(folder):
        monkeypatch.undo()
        fact_store(fresh).close()
        with writing(folder):
            yield

    with World.open(copy) as fresh:
        with writing(copy), pytest.raises(WorldError, match="is being written by process"):
            fact_store(fresh)
        monkeypatch.setattr(facts, "writing", after_the_other)
        made: list[int] = []
        store = fact_store(fresh, lambda *told: made.append(told[0]))
        assert not made
        assert store.counts()["tables"] == 2


def test_a_world_that_states_nothing_is_one_line(tmp_path):
    (tmp_path / "pages.jsonl").write_text(
        json.dumps({"url": "https://t.test/x", "title": "X", "doc": "Nothing here."}) + "\n"
    )
    with (
        World.build(tmp_path / "pages.jsonl", tmp_path / "world") as empty,
        pytest.raises(UsageError, match="states nothing"),
    ):
        make(empty, tmp_path / "t.jsonl", 5)


def test_a_world_without_links_says_what_it_cannot_carry(tmp_path):
    clubs = [
        "Alba",
        "Borussia",
        "Calcio",
        "Dynamo",
        "Estrela",
        "Fortuna",
        "Galatea",
        "Helios",
        "Iris",
        "Juno",
        "Kronos",
        "Lyra",
    ]
    text = "## List\n\n| Club | City |\n|---|---|\n" + "".join(
        f"| {club} | {['Rome', 'Oslo', 'Lima', 'Cairo'][n // 3]} |\n" for n, club in enumerate(clubs)
    )
    (tmp_path / "pages.jsonl").write_text(json.dumps({"url": "https://t.test/x", "title": "Clubs", "doc": text}) + "\n")
    with World.build(tmp_path / "pages.jsonl", tmp_path / "world") as small:
        tally = make(small, tmp_path / "t.jsonl", 50)
    assert tally.kept["direct"]
    assert tally.kept["enumeration"]
    assert tally.lost["aggregation"] == "this world cannot carry it"


def run(*arguments: object) -> str:
    from lite.cli import run as run_command

    done = CliRunner().invoke(command, [str(part) for part in arguments])
    assert run_command  # the door that tests of bad input go through
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands_from_facts_to_export(world, tmp_path):
    assert "statements" in run("tasks", "facts", world.path)
    assert "Alba | Captain | Ann Lee" in run("tasks", "facts", world.path, "--subject", "alba")
    out = tmp_path / "tasks.jsonl"
    table = run("tasks", "make", world.path, "--out", out, "-n", 30, "--seed", 1)
    assert "verification" in table
    assert "skipped: --judge SPEC" in table
    assert "30 of 30 tasks are sound" in run(
        "tasks", "check", out, "--world", world.path, "--out", tmp_path / "sound.jsonl"
    )
    assert "30 tasks" in run("tasks", "export", out, "--out", tmp_path / "t.parquet")
    assert "30 tasks" in run("tasks", "import", tmp_path / "t.parquet", "--out", tmp_path / "back.jsonl")
    assert (tmp_path / "back.jsonl").read_text() == out.read_text()
    shown = run("tasks", "split", out, "--out", tmp_path / "splits", "--zst", "--dev", 0.2)
    parts = {name: read_tasks(tmp_path / f"splits/{name}.jsonl.zst") for name in SPLITS}
    assert f"left out, being of two splits  {30 - sum(map(len, parts.values()))}" in shown
    assert all({task.split for task in tasks} == {name} for name, tasks in parts.items())
    run("tasks", "select", out, "--out", tmp_path / "s.jsonl", "--keep", "hops > 1", "--balance", "capability")
    assert all(Task.from_json(line).hops > 1 for line in (tmp_path / "s.jsonl").read_text().splitlines())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["tasks", "make", "{world}", "--out", "{out}", "--hops", "4-1"], "--hops 4-1 is no range"),
        (["tasks", "facts", "{world}", "--subject", "nobody"], "no fact has the subject"),
        (["tasks", "check", "{bad}", "--world", "{world}"], "line 1 is no task"),
        (["tasks", "select", "{good}", "--out", "{out}", "--keep", "hops >"], "is no filter"),
        (["tasks", "select", "{good}", "--out", "{out}", "--keep", "hops > 9"], "is left: widen"),
        (["tasks", "select", "{good}", "--out", "{out}", "--not-closed-book"], "no closed-book pass"),
        (["tasks", "split", "{good}", "--out", "{out}"], "nothing is left for dev"),
        (["tasks", "split", "{good}", "--out", "{out}", "--test", "1"], "leave nothing to train on"),
        (["tasks", "rate", "{good}", "--world", "{world}", "--out", "{out}"], "no model is named"),
        (["tasks", "export", "{good}", "--out", "{out}.csv"], "says no format"),
    ],
)
def test_bad_input_is_one_line(world, tmp_path, arguments, why, capsys):
    from lite.cli import run as run_command

    (tmp_path / "bad.jsonl").write_text('{"id": 3}\n')
    (tmp_path / "good.jsonl").write_text(
        '{"id": "a", "question": "Q?", "answers": ["x"], "hops": 1, "colour": "red"}\n'
    )
    places = {
        "world": world.path,
        "out": tmp_path / "out.jsonl",
        "bad": tmp_path / "bad.jsonl",
        "good": tmp_path / "good.jsonl",
    }
    assert run_command([part.format(**places) for part in arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert why in error


def test_a_read_only_world_keeps_its_facts_in_the_cache(world, monkeypatch, tmp_path):
    from lite.tasks import facts

    monkeypatch.setattr(facts.os, "access", lambda *_: False)
    monkeypatch.setattr(facts, "cache_dir", lambda: tmp_path)
    assert fact_store(world).path == tmp_path / "facts" / f"{world.digest}.sqlite"
