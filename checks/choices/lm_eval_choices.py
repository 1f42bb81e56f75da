"""Scores JSONL files of multiple-choice questions with lm-evaluation-harness, and prints acc and acc_norm of each.

usage: lm_eval_choices.py MODEL FILE...

A line of a file is a question as `loam eval --choices` reads it: context, choices, answer. The context is taken as it is,
and the target delimiter is the harness's own, a space.
"""

import json
import sys

import lm_eval
from lm_eval.api.task import ConfigurableTask


def task(name, path):
    return ConfigurableTask(
        config={
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": path}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{context}}",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "metric_list": [
                {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
                {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
            ],
        }
    )


model, *files = sys.argv[1:]
tasks = [task(f"format{index}", path) for index, path in enumerate(files)]
found = lm_eval.simple_evaluate(
    model="hf",
    model_args={"pretrained": model, "dtype": "float32"},
    tasks=tasks,
    device="cpu",
    batch_size=4,
    bootstrap_iters=0,
)
scores = [found["results"][f"format{index}"] for index in range(len(files))]
print(json.dumps([{"acc": one["acc,none"], "acc_norm": one["acc_norm,none"]} for one in scores]))
