"""The same request in Loam's own engine: equal losses and a close adapter, from the same start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import RequestMaker
from loam_trainer.contract import TrainRequest, parse_request
from loam_trainer.lora import lora_pairs
from support import engine_of

ROOT = Path(os.environ.get("LOAM_REPOSITORY", Path(__file__).parents[3]))
BASE = ROOT / "models" / "loam-base-1m"


@pytest.mark.skipif(
    not (ROOT / "dist" / "src" / "model" / "index.js").is_file() or shutil.which("node") is None,
    reason="Loam is not built here: run npm run build, or set LOAM_REPOSITORY to its folder",
)
@pytest.mark.parametrize("rs_lora", [False, True])
def test_losses_and_adapter_agree(train_request: RequestMaker, tmp_path: Path, rs_lora: bool) -> None:
    generator = torch.Generator().manual_seed(9)
    shape = (8, 4, 32)
    tokens = torch.randint(1, 1536, (8, 4, 33), generator=generator, dtype=torch.int32)
    segments = torch.where(torch.arange(32).expand(shape) < 14, 1, 2).to(torch.int32)
    weights = torch.ones(shape)
    weights[..., 13] = 0
    batches = tmp_path / "batches.safetensors"
    tensors = {"input_ids": tokens[..., :-1], "target_ids": tokens[..., 1:], "target_weights": weights}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()} | {"segments": segments}, batches)
    modules = [f"model.layers.{layer}.self_attn.{name}_proj" for layer in range(5) for name in "qkvo"]
    message = train_request(
        base=BASE, modules=modules, batches=batches, steps=8, learningRate=5e-3, rank=4, alpha=8, rsLora=rs_lora
    )
    (tmp_path / "request.json").write_text(json.dumps(message))
    script = Path(__file__).parent / "loam_engine.mjs"
    done = subprocess.run(
        ["node", str(script), str(ROOT / "dist"), str(tmp_path / "request.json"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stdout)

    request = parse_request(message)
    assert isinstance(request, TrainRequest)
    engine = engine_of()
    engine.begin(request)
    assert engine._training is not None
    start = load_file(tmp_path / "start.safetensors")
    pairs = lora_pairs(engine._training.adapted)
    with torch.no_grad():
        for module, (factor_a, factor_b) in pairs.items():
            factor_a.copy_(start[f"{module}.A"])
            factor_b.copy_(start[f"{module}.B"])
    losses = [engine.step().loss for _ in range(8)]
    assert losses == pytest.approx(expected, abs=1e-3)
    trained = load_file(tmp_path / "trained.safetensors")
    for module, (factor_a, factor_b) in pairs.items():
        assert float((factor_a - trained[f"{module}.A"]).abs().max()) < 1e-3
        assert float((factor_b - trained[f"{module}.B"]).abs().max()) < 1e-3
    # The adapter has changed noticeably.
    assert max(float(factor_b.abs().max()) for _, factor_b in pairs.values()) > 0.01
