"""Token files written by `npm run pretrain -- tokens`, packed into rows like in Loam's own trainer."""

import json
from pathlib import Path

import numpy as np
import torch


class Corpus:
    """Groups of documents: one `[tokens]` uint16 array per part; every document starts with the beginning-of-sequence id."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.manifest = json.loads((self.folder / "tokens.json").read_text())
        self.groups = [group["name"] for group in self.manifest["groups"]]

    def documents(self, group, part):
        tokens = np.fromfile(self.folder / f"{group}.{part}.u16", dtype="<u2")
        starts = np.flatnonzero(tokens == self.manifest["bosId"])
        return np.split(tokens, starts[1:])


class Batches:
    """
    An endless, seeded sequence of batches. Each batch depends only on its step, so that a run can resume anywhere.
    A pass concatenates every group's documents as often as its repeats say, in its own order, and cuts them into rows of
    `length` + 1 tokens; each row shares its last token with the next row's first.
    """

    def __init__(self, corpus, repeats, rows, length, seed):
        self.rows, self.length, self.seed = rows, length, seed
        self.documents = []
        for group in corpus.groups:
            self.documents += corpus.documents(group, "train") * repeats.get(group, 1)
        self.pass_tokens = sum(len(document) for document in self.documents)
        self.rows_a_pass = (self.pass_tokens - 1) // length
        self._laid = None

    def _pass(self, number):
        if self._laid is None or self._laid[0] != number:
            random = np.random.default_rng([self.seed, number])
            order = random.permutation(len(self.documents))
            tokens = np.concatenate([self.documents[place] for place in order]).astype(np.int64)
            self._laid = (number, tokens, random.permutation(self.rows_a_pass))
        return self._laid[1:]

    def batch(self, step):
        """Inputs and targets, each `[rows, length]`."""
        rows = []
        for visit in range(step * self.rows, (step + 1) * self.rows):
            tokens, order = self._pass(visit // self.rows_a_pass)
            start = order[visit % self.rows_a_pass] * self.length
            rows.append(tokens[start : start + self.length + 1])
        block = torch.from_numpy(np.stack(rows))
        return block[:, :-1], block[:, 1:]


def scoring_windows(documents, length):
    """
    Windows that score every token except each document's first exactly once, like `overlappingWindows` in `src/model/evaluate`.
    Returns inputs and targets `[windows, length]`; the target is -100 for tokens that are not scored.
    """
    inputs, targets = [], []
    for document in documents:
        for start in range(0, len(document) - 1, length):
            window = document[start : start + length + 1].astype(np.int64)
            padding = length + 1 - len(window)
            inputs.append(np.pad(window[:-1], (0, padding)))
            targets.append(np.pad(window[1:], (0, padding), constant_values=-100))
    return torch.from_numpy(np.stack(inputs)), torch.from_numpy(np.stack(targets))
