"""A token of a packed row attends only to its own document."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from loam_trainer.batches import Rows, positions_of, visible
from loam_trainer.loss import weighted_cross_entropy
from support import engine_of


def test_positions_and_masks_of_a_packed_row() -> None:
    segments = torch.tensor([[1, 1, 2, 2, 2, 0]])
    assert positions_of(segments).tolist() == [[0, 1, 0, 1, 2, 0]]
    assert visible(segments)[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]


def windowed(folder: Path) -> Path:
    """A Mistral with a window of three tokens."""
    torch.manual_seed(4)
    config = MistralConfig(
        vocab_size=48,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=3,
        initializer_range=0.3,
    )
    MistralForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "mistral"])
def test_a_document_scores_as_it_does_alone(
    attention: str, family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = windowed(tmp_path / "mistral") if family == "mistral" else request.getfixturevalue(family)
    engine = engine_of(attention=attention)
    engine._base._open(str(folder))
    model = engine._base.model.eval()
    generator = torch.Generator().manual_seed(5)
    documents = [torch.randint(0, 48, (length,), generator=generator) for length in (6, 5, 1, 7)]
    targets = [torch.randint(0, 48, document.shape, generator=generator) for document in documents]
    padding = torch.zeros(3, dtype=torch.long)
    segments = torch.cat([torch.full_like(one, index + 1) for index, one in enumerate(documents)] + [padding])
    ids, wanted = torch.cat([*documents, padding]), torch.cat([*targets, padding])

    def score(ids: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor, segments: torch.Tensor | None) -> float:
        rows = Rows(ids[None], wanted[None], weights[None], None if segments is None else segments[None])
        return float(weighted_cross_entropy(model, rows, engine._hardware))

    for index, document in enumerate(documents):
        alone = score(document, targets[index], torch.ones(len(document)), None)
        packed = score(ids, wanted, (segments == index + 1).float(), segments)
        assert packed == pytest.approx(alone, abs=1e-4)
        # The test is sensitive: without isolation the later documents score differently.
        if index in (1, 3):
            assert abs(score(ids, wanted, (segments == index + 1).float(), None) - alone) > 1e-3
