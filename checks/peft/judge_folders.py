"""What transformers, PEFT and the library tokenizers compute with folders that Loam writes and reads.

Usage: judge_folders.py JOBS.json; a job is {"model": folder, "adapter": folder or null, "texts": [text, ...]}. Prints a
JSON list: for each job the ids of every text, and the log-probabilities of all tokens but the first of the first text.

The ids are those that tokenizer.json says, by the library tokenizers. transformers 5 builds the tokenizer of some
classes from parts of its own and takes only the vocabulary and merges from the file: "transformers" are the ids of what
AutoTokenizer loads, and "class" is its name.
"""

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

SCORED = 96


def judge(job):
    file = Tokenizer.from_file(str(Path(job["model"]) / "tokenizer.json"))
    file.no_truncation()
    file.no_padding()
    texts = [file.encode(text).ids for text in job["texts"]]
    loaded = AutoTokenizer.from_pretrained(job["model"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if job["adapter"] is not None:
        model = PeftModel.from_pretrained(model, job["adapter"])
    ids = torch.tensor([texts[0][:SCORED]])
    with torch.no_grad():
        logs = torch.log_softmax(model.eval()(ids).logits[0, :-1].double(), dim=-1)
    return {
        "ids": texts,
        "transformers": [loaded(text)["input_ids"] for text in job["texts"]],
        "class": type(loaded).__name__,
        "scores": logs.gather(1, ids[0, 1:, None])[:, 0].tolist(),
    }


with open(sys.argv[1]) as file:
    print(json.dumps([judge(job) for job in json.load(file)]))
