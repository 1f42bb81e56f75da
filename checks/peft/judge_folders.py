"""What transformers and PEFT compute with folders that Loam writes and reads.

Usage: judge_folders.py JOBS.json; a job is {"model": folder, "adapter": folder or null, "texts": [text, ...]}. Prints a
JSON list: for each job the ids of every text, and the log-probabilities of all tokens but the first of the first text.
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

SCORED = 96


def judge(job):
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if job["adapter"] is not None:
        model = PeftModel.from_pretrained(model, job["adapter"])
    texts = [tokenizer(text)["input_ids"] for text in job["texts"]]
    ids = torch.tensor([texts[0][:SCORED]])
    with torch.no_grad():
        logs = torch.log_softmax(model.eval()(ids).logits[0, :-1].double(), dim=-1)
    return {"ids": texts, "scores": logs.gather(1, ids[0, 1:, None])[:, 0].tolist()}


with open(sys.argv[1]) as file:
    print(json.dumps([judge(job) for job in json.load(file)]))
