"""Log-probabilities of a text's tokens under a model with an adapter, as Hugging Face's PEFT computes them.

Usage: peft_scores.py MODEL ADAPTER IDS.json; prints a JSON list, the log-probability of every token but the first.
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

model_folder, adapter_folder, ids_file = sys.argv[1:]
with open(ids_file) as file:
    ids = torch.tensor([json.load(file)])
base = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
model = PeftModel.from_pretrained(base, adapter_folder).eval()
with torch.no_grad():
    logs = torch.log_softmax(model(ids).logits[0, :-1].double(), dim=-1)
print(json.dumps(logs.gather(1, ids[0, 1:, None])[:, 0].tolist()))
