"""A Hugging Face model run by vLLM in a process of its own: writes rollouts on a GPU while this process trains.

Each turn is one prompt of ids; vLLM keeps the keys and values of what it has computed (its prefix cache) and batches
requests itself. Its log-probabilities are those after temperature, penalties and cuts, which are ours wherever nothing
but the temperature shapes the distribution, as in training. The adapter is given as a folder, under a new number each
time, so that none is taken for an older one.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lite.dialect import STOP
from lite.errors import ModelError, one_line
from lite.extras import need
from lite.models.huggingface import from_gguf, load_tokenizer
from lite.models.sampling import turn_seed
from lite.models.tokenizer import FastTokenizer
from lite.models.turn import Said, Turn, in_order
from lite.records import Fault, Generate, Message, Reply

EXTRA = "vllm"
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM has room for
_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",  # it would report to its makers
    "VLLM_WORKER_MULTIPROCESSING_METHOD": "spawn",  # a process that has used CUDA cannot be forked
}


class Vllm:
    """An engine with room for one adapter. Not for two threads at once.

    Args:
        path: a Hugging Face folder, or a GGUF file (which is converted once, into the user's cache directory).
        context: window in tokens.
        dtype: of torch, by name.
        rank: of the adapters it will wear.
        width: episodes computed together, at most.
        memory: share of the GPU's memory that it takes.

    Raises:
        MissingExtra: vLLM is not installed.
        ModelError: the model cannot be run, or there is no room for it.
    """

    def __init__(self, path: Path, *, context: int, dtype: str, rank: int, width: int, memory: float) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._vllm, torch = need("vllm", EXTRA), need("torch", EXTRA)
        folder = path if path.is_dir() else from_gguf(path)
        tokenizer, configs = load_tokenizer(folder)
        self.name, self.context = f"vllm:{path}", context
        self._vocabulary = FastTokenizer(tokenizer, configs, self.name)
        self.prompts = self._vocabulary.prompts(context)
        self._said: dict[str, Said] = {}
        self._worn: Any = None
        self._adapters = 0
        self._sleeps = torch.cuda.is_available()
        try:
            self._engine: Any = self._vllm.LLM(
                model=str(folder),
                dtype=dtype,
                max_model_len=context,
                max_num_seqs=width,
                gpu_memory_utilization=memory,
                enable_lora=True,
                max_lora_rank=next((each for each in _RANKS if each >= rank), rank),
                max_loras=1,
                enable_prefix_caching=True,
                enable_sleep_mode=self._sleeps,
                enforce_eager=not self._sleeps,
                logprobs_mode="processed_logprobs",
                disable_log_stats=True,
            )
        except Exception as error:  # noqa: BLE001  # whatever the library raises means that it cannot run here
            raise ModelError(
                f"vLLM cannot run {path} ({one_line(error)}): see sampler.memory and agent.context"
            ) from None

    @contextmanager
    def wearing(self, adapter: Path | None) -> Iterator[None]:
        """While it writes with the adapter of a PEFT folder that `adapter` is a file of, or with none; it sleeps
        otherwise, its memory free for training.
        """
        if self._sleeps and self._adapters:
            self._engine.wake_up()
        self._adapters += 1
        self._said.clear()
        request = need("vllm.lora.request", EXTRA).LoRARequest
        name = f"adapter-{self._adapters}"
        self._worn = request(name, self._adapters, str(adapter.parent)) if adapter else None
        try:
            yield
        finally:
            if self._sleeps:
                self._engine.sleep(level=1)

    def close(self) -> None:
        """End its process. The model cannot be used afterwards."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.llm_engine.engine_core.shutdown()

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt these messages make, the opening of the assistant's turn included."""
        return self.prompts.count(messages)

    def generate(self, requests: Sequence[Generate]) -> list[Reply | Fault]:
        """One reply per request, in order.

        Raises:
            ModelError: vLLM has failed, and every episode with it.
        """
        prepared = [self.prompts.turn(request, self._said.get(request.conversation)) for request in requests]
        turns, started = in_order(prepared), time.perf_counter()
        try:
            outputs = self._engine.generate(
                [{"prompt_token_ids": turn.ids} for turn in turns],
                [self._parameters(turn) for turn in turns],
                use_tqdm=False,
                lora_request=self._worn,
            )
        except Exception as error:  # noqa: BLE001  # its process is lost, whatever it was
            raise ModelError(f"vLLM failed ({one_line(error)}): lower sampler.width or sampler.memory") from None
        seconds = (time.perf_counter() - started) / max(1, len(turns))
        replies = {turn: self._reply(turn, output, seconds) for turn, output in zip(turns, outputs, strict=True)}
        return [turn if isinstance(turn, Fault) else replies[turn] for turn in prepared]

    def _parameters(self, turn: Turn) -> Any:
        request, sampling = turn.request, turn.request.sampling
        seed = turn_seed(sampling.seed, request.conversation, request.number)
        return self._vllm.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            presence_penalty=sampling.presence_penalty,
            seed=seed % 2**63,
            max_tokens=turn.room,
            stop=[STOP],
            stop_token_ids=sorted(self._vocabulary.ends),
            logprobs=0,  # of the sampled token
            detokenize=True,  # it looks for the stop tag in the text
            skip_special_tokens=False,
        )

    def _reply(self, turn: Turn, output: Any, seconds: float) -> Reply:
        said = output.outputs[0]
        for token, logprobs in zip(said.token_ids, said.logprobs, strict=True):
            turn.take(token, logprobs[token].logprob, self._vocabulary)
            if turn.finish:
                break
        turn.finish = turn.finish or "length"
        turn.cached, turn.seconds = output.num_cached_tokens or 0, seconds
        known = self._said.setdefault(turn.request.conversation, Said())
        return turn.end(known, self.prompts.control)
