"""Transformers in int8 on a CPU, by OpenVINO (extra `openvino`).

Weights are rounded to 8 bits once, per channel, and kept in the user's cache folder; activations are rounded while
computing, in groups of 128, by their own range. So no texts are needed to calibrate it, which would favour their
language, and a conversion gives the same weights on every machine. Static quantisation (nncf's `quantize`, 64
texts) was measured beside it: a fifth to a quarter faster, and three times as far from fp32.
"""

import io
import logging
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from lite.errors import ModelError, one_line
from lite.extras import need
from lite.machine import cores
from lite.shipped import cache_dir

RECIPE = "int8-asym per channel, activations in groups of 128"  # another recipe, another embedder
_GROUP = "128"
_STEP = 16  # texts are padded to a multiple: OpenVINO prepares itself anew for every shape


def compute_in_int8(backbone: Any, example: dict[str, Any], key: str, *, pad: int, longest: int) -> None:
    """Have the Hugging Face model `backbone` compute its last hidden state through OpenVINO, and free its weights.

    Args:
        backbone: a `PreTrainedModel` in fp32.
        example: what its tokenizer makes of some texts, as torch tensors.
        key: names the weights and `RECIPE`; what was converted under this key before is used again.
        pad: the tokenizer's padding token.
        longest: tokens of the longest text.

    Raises:
        MissingExtra: openvino or nncf is not installed.
        ModelError: OpenVINO cannot convert this model, or the cache folder cannot be written.
    """
    import torch

    openvino = _library()
    output = type(backbone(**example))
    path = cache_dir() / "openvino" / f"{key}-{openvino.__version__.split('-')[0]}.xml"
    if not path.exists():
        _convert(openvino, backbone, example, path)
    # A stream a core computes a fifth more than all cores on one batch; what is not int8 is bfloat16 where the
    # processor has it, else float32.
    settings = {"NUM_STREAMS": str(cores()), "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP}
    try:
        compiled = openvino.Core().compile_model(path, "CPU", settings)
    except RuntimeError:
        raise ModelError(f"{path} is damaged: remove it, and it is made again") from None
    backbone.forward = _forward(compiled, output, pad, longest)
    for name, _ in list(backbone.named_children()):  # the weights; and every call would walk through them
        delattr(backbone, name)
    backbone.device_of = torch.nn.Parameter(torch.empty(0))  # a model without parameters has no device


def _library() -> Any:
    # Both libraries report their use to Google Analytics unless this module of theirs is missing.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return need("openvino", "openvino")


def _convert(openvino: Any, backbone: Any, example: dict[str, Any], path: Path) -> None:
    nncf = need("nncf", "openvino")
    for library in ("nncf", "transformers"):  # a table, and a warning of the tracing
        logging.getLogger(library).setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():  # a progress bar; that a trace is a trace
            warnings.simplefilter("ignore")
            traced = openvino.convert_model(backbone, example_input=example)
            model = openvino.Model([traced.output("last_hidden_state")], traced.get_parameters())
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    except Exception as error:  # noqa: BLE001  # whatever tracing a model raises
        said = one_line(error)
        raise ModelError(f"OpenVINO cannot convert {type(backbone).__name__} ({said}): leave @int8 out") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / path.name
            openvino.save_model(model, made, compress_to_fp16=False)
            made.with_suffix(".bin").replace(path.with_suffix(".bin"))
            made.replace(path)  # last: where it is, the weights are
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{path.parent} cannot be written ({error}): free some space, or set XDG_CACHE_HOME") from None


def _forward(compiled: Any, output: Callable[..., Any], pad: int, longest: int) -> Callable[..., Any]:
    """What stands in for the model's own `forward`. Safe for threads: each has inference requests of its own."""
    names = [port.get_any_name() for port in compiled.inputs]
    streams = int(compiled.get_property("NUM_STREAMS"))
    mine = threading.local()

    def forward(**features: Any) -> Any:
        import torch

        if not hasattr(mine, "requests"):
            mine.requests = [compiled.create_infer_request() for _ in range(streams)]
        rows, length = features["input_ids"].shape
        room = max(min(-(-length // _STEP) * _STEP, longest) - length, 0)
        arrays = {
            name: np.pad(features[name].numpy(), ((0, 0), (0, room)), constant_values=pad if name == "input_ids" else 0)
            for name in names
        }
        share = -(-rows // streams)
        running = list(zip(mine.requests, range(0, rows, share), strict=False))
        for request, start in running:
            request.start_async({name: array[start : start + share] for name, array in arrays.items()})
        parts = []
        for request, _ in running:
            request.wait()
            parts.append(torch.from_numpy(request.get_output_tensor(0).data[:, :length].copy()))
        return output(last_hidden_state=torch.cat(parts))

    return forward
