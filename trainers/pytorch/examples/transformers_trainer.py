"""A member's trainer with transformers' Trainer: loam peer --trainer 'python transformers_trainer.py'"""

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainingArguments

from loam_trainer import Job, serve


def padded(documents: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Pads on the right, which causal attention ignores."""
    ids = pad_sequence([torch.tensor(one["input_ids"]) for one in documents], batch_first=True)
    labels = [torch.tensor(one["labels"]) for one in documents]
    return {"input_ids": ids, "labels": pad_sequence(labels, batch_first=True, padding_value=-100)}


def train(job: Job) -> object:
    trainer = Trainer(
        model=job.model(),
        args=TrainingArguments(**job.arguments()),
        train_dataset=job.dataset(),
        data_collator=padded,
        callbacks=[job.callback()],
    )
    trainer.train()
    return trainer.model


if __name__ == "__main__":
    serve(train, name="transformers-trainer")
