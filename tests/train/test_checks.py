"""What a recipe cannot have is one line that ends in the next step, exit 2, before a model is loaded."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from lite.errors import MissingExtra, ModelError, UsageError
from lite.extras import target
from lite.records import Task
from lite.train import checks
from lite.train.checks import check, of_this_world, versions
from lite.train.recipes import read_recipe
from lite.world import World

SITE = "https://a.test"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    pages = ({"url": f"{SITE}/{n}", "title": f"Page {n}", "doc": f"# Page {n}\n\nIts number is {n}."} for n in range(3))
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    with World.build([folder / "pages.jsonl"], folder / "world") as built:
        yield built


@pytest.fixture
def folder(tmp_path: Path, world: World) -> Path:
    """A recipe and what it names; the model is a file that begins as one does."""
    (tmp_path / "base.gguf").write_bytes(b"GGUF" + bytes(1000))
    (tmp_path / "world").symlink_to(world.path)
    (tmp_path / "pages.jsonl").symlink_to(world.path.parent / "pages.jsonl")
    tasks(tmp_path, world=world.digest)
    return tmp_path


def tasks(folder: Path, **changes) -> None:
    made = [
        Task(id=f"t{n}", question=f"What is the number of page {n}?", answers=(str(n),), evidence=(f"{SITE}/{n}",))
        for n in range(3)
    ]
    lines = [task.model_copy(update=changes).to_json() + "\n" for task in made]
    (folder / "tasks.jsonl").write_text("".join(lines))


def recipe(folder: Path, **changes: str) -> Path:
    told = {
        "world": '"world"',
        "train": '"tasks.jsonl"',
        "dev": '"tasks.jsonl"',
        "policy": '{ model = "llamacpp:base.gguf" }',
        "stages": "[{ steps = 2 }]",
    }
    path = folder / "mine.toml"
    path.write_text('name = "mine"\n' + "".join(f"{key} = {value}\n" for key, value in (told | changes).items()))
    return path


def checked(folder: Path, **changes: str) -> dict:
    return check(read_recipe(recipe(folder, **changes)), folder / "run")


def test_what_fits_is_let_through(folder: Path) -> None:
    asked = checked(folder)
    assert (asked["tasks"], asked["stages"][0]["steps"]) == (3, 2)
    assert checked(folder, world='"pages.jsonl"')["tasks"] == 3  # built first, and compared then


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"world": '"nowhere"'}, r"there is no .*nowhere: name a world's folder"),
        ({"train": '"none.jsonl"'}, r"none\.jsonl"),
        ({"dev": '"none.jsonl"'}, r"none\.jsonl"),
        ({"hops": "1", "capabilities": '["direct"]'}, "no task of the capabilities"),
        ({"policy": '{ model = "llamacpp:none.gguf" }'}, r"there is no .*none\.gguf: name the policy's model"),
        ({"policy": '{ model = "openai:it@http://localhost/v1" }'}, "cannot be trained"),
        ({"agent": "{ context = 1200 }"}, r"agent\.context = 1200 is too small, about \d+ tokens .*the prompt \d+"),
        ({"stages": "[{ steps = 2, context = 800 }]"}, r"stages\.0\.context = 800 is too small"),
        ({"agent": "{ limits = { visit_words = 9000 } }"}, r"a tool's answer 11760"),
        ({"updates": "{ tokens = 1_000_000_000_000_000_000 }"}, r"GB of memory and .* are free: free some, or lower"),
        ({"stages": "[{ steps = 1_000_000_000_000 }]"}, r"GB and .* GB free: free some, or give another --out"),
        ({"agent": "{ contxt = 1 }"}, "did you mean context"),
        ({"stages": "[{ stepz = 2 }]"}, r"no setting is called stages\.0\.stepz: did you mean steps"),
        ({"sft": "{ epoch = 1 }"}, r"no setting is called sft\.epoch: did you mean epochs"),
        ({"policy": '{ model = "smollm2", load_in_4bit = true }'}, 'need policy.loader = "unsloth"'),
        ({"seed": '"one"'}, "seed = 'one' does not fit"),
    ],
)
def test_what_does_not_is_one_line(folder: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        checked(folder, **changes)
    assert "\n" not in str(error.value)
    assert not (folder / "run").exists()


def test_numbers_are_those_that_the_machine_computes(folder: Path, monkeypatch) -> None:
    asked = '{ model = "llamacpp:base.gguf", dtype = "float16" }'
    for can, gpu, wanted in ((True, False, "bfloat16"), (False, False, "float32"), (False, True, "bfloat16")):
        monkeypatch.setattr("lite.recipe.computes_bf16", lambda can=can: can)
        monkeypatch.setattr("lite.recipe.has_gpu", lambda gpu=gpu: gpu)
        assert read_recipe(recipe(folder)).policy.dtype == wanted
        assert read_recipe(recipe(folder, policy=asked)).policy.dtype == "float16"


def test_a_file_that_is_no_model(folder: Path) -> None:
    (folder / "base.gguf").write_text("<html>not found</html>")
    with pytest.raises(ModelError, match="is not a GGUF model file"):
        checked(folder)
    (folder / "empty").mkdir()
    with pytest.raises(ModelError, match=r"has no config\.json"):
        checked(folder, policy='{ model = "transformers:empty" }')


def test_tasks_of_another_world(folder: Path) -> None:
    tasks(folder, world="0" * 32)
    with pytest.raises(UsageError, match=r"3 of 3 tasks are of another world .*t0 the first: lite tasks check"):
        checked(folder)


def test_tasks_that_do_not_say_of_which_world_need_its_pages(folder: Path, world: World) -> None:
    tasks(folder)
    assert checked(folder)["tasks"] == 3
    tasks(folder, evidence=(f"{SITE}/99",))
    with pytest.raises(UsageError, match=r"t0 needs https://a\.test/99, which is not in"):
        checked(folder)


def test_a_world_that_was_built_for_the_run_is_compared_too(folder: Path, world: World) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "world").symlink_to(world.path)
    tasks(folder, world="0" * 32)
    with pytest.raises(UsageError, match="another world"):
        checked(folder, world='"pages.jsonl"')
    with pytest.raises(UsageError, match="1 of 1 tasks"):
        of_this_world([Task(id="t", question="q", answers=("a",), world="1" * 32)], "tasks.jsonl", world)


# ---------------------------------------------------------------- versions, of packages that are only metadata


def installed(site: Path, name: str, version: str, *requires: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requires)]
    (folder / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that goes before all others."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


def ours(site: Path) -> None:
    installed(site, "literesearcher_lite", "0.1", "trl!=1.15.0,<1.17,>=1.14.2; extra == 'train'", "trl<1; extra == 'x'")


def test_a_library_out_of_the_declared_range_is_named_with_the_pin(folder: Path, site: Path) -> None:
    ours(site)
    installed(site, "trl", "1.15.0")
    with pytest.raises(MissingExtra, match=r"trl 1\.15\.0 does not fit literesearcher-lite.*pip install 'trl!=1\.15"):
        checked(folder)


def test_unsloth_has_caps_of_its_own(site: Path) -> None:
    ours(site)
    caps = ("trl<=1.15.0", "transformers<=5.17.0", "certifi>=2999", "trl==0.1; extra == 'huggingface'")
    installed(site, "unsloth", "2026.10.9", *caps)
    installed(site, "trl", "1.16.0")
    installed(site, "transformers", "5.17.0")
    assert list(versions("transformers")) == []
    [line] = versions("unsloth")
    assert line == "trl 1.16.0 does not fit unsloth 2026.10.9, which wants <=1.15.0: pip install 'trl==1.14.2'"


def test_the_declared_ranges_are_read_at_all() -> None:
    assert any(text.startswith("trl") and extra == "train" for text, extra in checks.requirements())


# ---------------------------------------------------------------- what is named


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"stages": '[{ steps = 2, keep = "1 <= corect <= 7" }]'},
            r"stages.0.keep: no task has a field corect: did you",
        ),
        ({"stages": "[{ steps = 2, capabilities = { drect = 1.0 } }]"}, r"stages.0.capabilities: no task has .* drect"),
        ({"sft": "{ balance = { drect = 1.0 } }"}, r"sft.balance: no task has the capability drect"),
        ({"sft": '{ files = ["nowhere"] }'}, r"sft.files: there is no .*nowhere: name a run's folder"),
        ({"sft": "{ attempts = 0 }"}, r"sft.attempts = 0 leaves no demonstrations: name sft.files"),
        ({"updates": "{ anchor = 0.5 }"}, r"updates.anchor needs demonstrations"),
        (
            {
                "policy": '{ model = "llamacpp:base.gguf", loader = "unsloth" }',
                "updates": "{ entropy = 0.01 }",
            },
            r"updates.entropy is not in the trl==1\.14\.2 that Unsloth wants: set it to 0",
        ),
        ({"agent": "{ grammar = true }"}, r"agent.grammar: rollouts are free"),
    ],
)
def test_what_a_recipe_names_is_looked_for_before_anything_is_loaded(
    folder: Path, groups: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check(read_recipe(recipe(folder, **groups)), folder / "run")


def test_a_folder_is_not_sampled_by_llama_cpp(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    path = recipe(folder, policy='{ model = "transformers:model" }')
    with pytest.raises(UsageError, match=r'"llamacpp" reads GGUF files, and .*model is a folder: set "transformers"'):
        check(read_recipe(path), folder / "run")


def test_the_estimate_has_hours_for_every_part_and_none_for_a_gpu(folder: Path, monkeypatch) -> None:
    def hours(**groups: str) -> float:
        return check(read_recipe(recipe(folder, **groups)), folder / "run")["hours"]

    monkeypatch.setattr("lite.train.recipes.cores", lambda: 2)
    stages = '[{ steps = 1000, keep = "" }]'
    plain = hours(stages=stages)
    assert plain > 0
    assert hours(stages=stages, sft="{ demonstrations = 9000 }") > plain
    assert hours(stages='[{ steps = 1000, keep = "1 <= correct", pool = 9000 }]') > plain
    assert hours(stages=stages, updates="{ updates = 4 }") > 2 * plain
    monkeypatch.setattr("lite.train.recipes.cores", lambda: 4)
    assert hours(stages=stages) == pytest.approx(plain / 2, rel=0.1)
    monkeypatch.setattr("lite.train.recipes.has_gpu", lambda: True)
    assert hours(stages=stages) is None


def test_the_estimate_counts_the_held_out_tasks_that_a_look_tries(folder: Path) -> None:
    every = check(read_recipe(recipe(folder, held_out="{ tasks = 9000 }")), folder / "run")["held_out"]
    few = check(read_recipe(recipe(folder, held_out="{ tasks = 1 }")), folder / "run")["held_out"]
    assert few < every


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("flags", [["--dry-run"], []])
def test_the_command_says_it_and_writes_nothing(
    folder: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from lite.cli import run

    path = recipe(folder, world='"nowhere"')
    assert run(["train", str(path), "--out", str(folder / "run"), *flags]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "nowhere: name a world's folder" in line
    assert not (folder / "run").exists()


@pytest.mark.skipif(importlib.util.find_spec("unsloth") is not None, reason="Unsloth is installed")
def test_a_loader_that_is_not_installed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from lite.cli import run

    path = recipe(folder, policy='{ model = "llamacpp:base.gguf", loader = "unsloth" }')
    assert run(["train", str(path), "--out", str(folder / "run")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"unsloth is not installed: pip install {target('unsloth')}" in line
    assert not (folder / "run").exists()


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_a_sampler_that_is_not_installed(folder: Path) -> None:
    path = recipe(folder, sampler='{ engine = "vllm" }')
    with pytest.raises(MissingExtra, match=re.escape(f"vllm is not installed: pip install {target('train,vllm')}")):
        check(read_recipe(path), folder / "run")


def test_an_adapter_of_another_shape_is_refused(folder: Path) -> None:
    (folder / "mine").mkdir()
    given = '{ model = "llamacpp:base.gguf", adapter = "mine", rank = 8 }'
    with pytest.raises(UsageError, match=r"mine is no GGUF file and no folder with an adapter_config\.json"):
        checked(folder, policy=given)
    (folder / "mine" / "adapter_config.json").write_text('{"r": 4}')
    with pytest.raises(UsageError, match=r"adapter_config\.json is none that PEFT wrote for LoRA"):
        checked(folder, policy=given)
    (folder / "mine" / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 32}')
    with pytest.raises(UsageError, match=r"mine has rank 4 and policy\.rank is 8: set it to 4"):
        checked(folder, policy=given)
    checked(folder, policy=given.replace("8", "4"))


def test_an_exam_of_another_world_is_refused(folder: Path) -> None:
    lines = (folder / "tasks.jsonl").read_text().replace('"id":"t', '"id":"other')
    (folder / "exam.jsonl").write_text(lines)
    assert checked(folder, exam='{ of = "exam.jsonl" }')["exam"] == 3
    (folder / "exam.jsonl").write_text(lines.replace('"world":"', '"world":"another'))
    with pytest.raises(UsageError, match=r"exam\.jsonl"):
        checked(folder, exam='{ of = "exam.jsonl" }')


@pytest.mark.parametrize(("module", "extra"), [("llama_cpp", "train,llama"), ("trl", "train")])
def test_what_a_run_will_need_is_asked_for_before_it_begins(
    folder: Path, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == module else there(name, *more))
    with pytest.raises(MissingExtra, match=re.escape(f"{module} is not installed: pip install {target(extra)}")):
        checked(folder)
