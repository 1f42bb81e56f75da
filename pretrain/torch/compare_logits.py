"""
Compares the logits computed by Loam (`npm run pretrain -- logits`) with those of transformers on PyTorch, in float32, and
the token ids of both tokenizers.

Usage: compare_logits.py MODEL DUMP
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERATED = 1e-3


@torch.no_grad()
def main(model_folder, dump):
    texts = json.loads((Path(dump) / "texts.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    loam = np.fromfile(Path(dump) / "logits.f32", dtype="<f4").reshape(-1, model.config.vocab_size)
    worst, total, same, position = 0.0, 0.0, 0, 0
    for text in texts:
        ids = text["ids"]
        if tokenizer(text["text"])["input_ids"][: len(ids)] != ids:
            raise SystemExit(f"the tokenizers differ on {text['id']}")
        logits = model(torch.tensor([ids])).logits[0].numpy()
        difference = np.abs(logits - loam[position : position + len(ids)])
        worst, total = max(worst, float(difference.max())), total + float(difference.mean(axis=1).sum())
        same += int((logits.argmax(axis=1) == loam[position : position + len(ids)].argmax(axis=1)).sum())
        position += len(ids)
    print(
        f"{position} positions: largest difference of a logit {worst:.2e}, mean {total / position:.2e}; "
        f"equal best token at {same} positions (logits between {loam.min():.1f} and {loam.max():.1f})"
    )
    if worst > TOLERATED:
        raise SystemExit(f"a logit differs by more than {TOLERATED}")


main(*sys.argv[1:])
