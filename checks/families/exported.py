"""What transformers and PEFT compute with exported folders: log-probabilities of every token but the first.

Reads a JSON list of {"base", "merged", "peft", "ids"} from a file and prints a list of {"merged", "peft"}.
"""

import json
import pathlib
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText


def load(folder):
    config = json.loads(pathlib.Path(folder, "config.json").read_text())
    kind = AutoModelForImageTextToText if "text_config" in config else AutoModelForCausalLM
    return kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def scores(model, ids):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0]
    return logits[:-1].log_softmax(-1).gather(-1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


jobs = json.loads(pathlib.Path(sys.argv[1]).read_text())
results = [
    {
        "merged": scores(load(job["merged"]), job["ids"]),
        "peft": scores(PeftModel.from_pretrained(load(job["base"]), job["peft"]).eval(), job["ids"]),
    }
    for job in jobs
]
print(json.dumps(results))
