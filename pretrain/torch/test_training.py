"""Run in this folder: `python -m unittest`."""

import argparse
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from grow import grown_config, grown_weights
from llama import Llama
from token_rows import Batches, Corpus, scoring_windows
from train import Run, learning_rate

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "vocab_size": 19,
    "max_position_embeddings": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000,
    "torch_dtype": "float32",
}


def random_model(config, seed):
    torch.manual_seed(seed)
    model = Llama(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3)
    return model


class Growth(unittest.TestCase):
    def test_a_grown_model_computes_what_the_smaller_one_does(self):
        small = random_model(SMALL, 1)
        ids = torch.randint(0, 19, (3, 16))
        for copies in (1, 2, 3):
            grown = Llama(grown_config(SMALL, copies))
            grown.load_state_dict(grown_weights(small.state_dict(), copies, seed=5))
            self.assertLess((grown(ids) - small(ids)).abs().max().item(), 1e-4)

    def test_its_copies_get_different_gradients(self):
        small = random_model(SMALL, 1)
        grown = Llama(grown_config(SMALL, 2))
        grown.load_state_dict(grown_weights(small.state_dict(), 2, seed=5))
        grown(torch.randint(0, 19, (3, 16))).logsumexp(-1).sum().backward()
        first, second = grown.model.layers[0].mlp.up_proj.weight.grad.chunk(2, dim=0)
        self.assertGreater((first - second).norm().item(), 0.1 * first.norm().item())


class Rate(unittest.TestCase):
    recipe = {"learningRate": 1.0, "warmupSteps": 4, "steps": 20, "cooldownSteps": 10, "finalShare": 0.1}

    def rates(self, recipe, steps, previous=0.0):
        for step in steps:
            previous = learning_rate(recipe, step, previous)
            yield previous

    def test_it_warms_up_stays_and_falls_along_a_straight_line(self):
        rates = list(self.rates(self.recipe, range(20)))
        self.assertEqual(rates[:4], [0.25, 0.5, 0.75, 1.0])
        self.assertEqual(set(rates[4:11]), {1.0})
        np.testing.assert_allclose(rates[10:], [0.1 + 0.9 * left / 10 for left in range(10, 0, -1)])

    def test_it_reaches_the_same_end_from_where_it_was_when_the_end_moves(self):
        before = list(self.rates(self.recipe, range(15)))
        later = {**self.recipe, "steps": 30, "cooldownSteps": 20}
        after = list(self.rates(later, range(15, 30), before[-1]))
        steps = np.diff([before[-1], *after])
        np.testing.assert_allclose(steps, steps[0])
        self.assertAlmostEqual(after[-1] + steps[0], 0.1)


class Resumption(unittest.TestCase):
    def options(self, folder, **changed):
        plain = {"steps": 9, "cooldown": 3, "warmup": 2, "batch": 1, "learning_rate": 1e-3, "repeat_base": 1}
        growth = {"grow_from": f"{folder}/small", "copies": 2, "seed": 1, "threads": 1}
        folders = {"tokens": folder, "work": f"{folder}/work", "before": None, "before_share": 1}
        return argparse.Namespace(**{**plain, **growth, **folders, **changed})

    def test_a_run_goes_on_from_its_checkpoint_and_only_with_the_runs_before_it(self):
        with tempfile.TemporaryDirectory() as folder:
            write_corpus(folder, {"base": [np.arange(9)]})
            (Path(folder) / "small").mkdir()
            (Path(folder) / "small" / "config.json").write_text(json.dumps(SMALL))
            save_file(random_model(SMALL, 1).state_dict(), f"{folder}/small/model.safetensors")
            first = Run(self.options(folder))
            first.take_step(torch.ones(1, 4, dtype=torch.long), torch.ones(1, 4, dtype=torch.long))
            first.keep()
            self.assertEqual(Run(self.options(folder)).step, 1)

            second = self.options(folder, work=f"{folder}/second", before=f"{folder}/work/checkpoint.pt")
            begun = Run(second)
            begun.keep()
            self.assertEqual((begun.step, begun.steps_before), (0, 1))
            self.assertEqual(Run(second).earlier, begun.earlier)
            with self.assertRaisesRegex(SystemExit, "continued other runs"):
                Run(self.options(folder, work=f"{folder}/second"))


def write_corpus(folder, groups):
    for name, documents in groups.items():
        for part in ("train", "heldout"):
            np.concatenate(documents).astype("<u2").tofile(Path(folder) / f"{name}.{part}.u16")
    manifest = {"bosId": 0, "vocabularySize": 90, "groups": [{"name": name} for name in groups]}
    (Path(folder) / "tokens.json").write_text(json.dumps(manifest))
    return Corpus(folder)


class Rows(unittest.TestCase):
    def test_a_pass_reads_every_group_as_often_as_asked(self):
        base = [np.array([0, *range(1, 9)]), np.array([0, *range(10, 15)])]
        added = [np.array([0, *range(50, 57)])]
        with tempfile.TemporaryDirectory() as folder:
            batches = Batches(write_corpus(folder, {"base": base, "added": added}), {"base": 3}, 1, 4, seed=1)
            self.assertEqual(batches.pass_tokens, 3 * 15 + 8)
            pairs = [batches.batch(step) for step in range(batches.rows_a_pass)]
            seen = np.concatenate([targets.numpy().ravel() for _, targets in pairs])
            # All but the first token and up to one row at the end.
            self.assertGreaterEqual(len(seen), batches.pass_tokens - 1 - 4)
            self.assertLessEqual(np.count_nonzero(seen == 3), 3)
            self.assertLessEqual(np.count_nonzero(seen == 52), 1)
            for inputs, targets in pairs:
                np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])

    def test_a_batch_depends_on_its_step_alone(self):
        documents = [np.array([0, *range(1, 40)]), np.array([0, *range(40, 80)])]
        with tempfile.TemporaryDirectory() as folder:
            corpus = write_corpus(folder, {"base": documents})
            straight, jumping = (Batches(corpus, {}, 2, 8, seed=1) for _ in range(2))
            expected = [straight.batch(step)[0] for step in range(30)]
            for step in (29, 3, 17, 0):
                torch.testing.assert_close(jumping.batch(step)[0], expected[step])

    def test_windows_score_every_token_but_each_documents_first_once(self):
        documents = [np.arange(0, 11), np.array([0]), np.array([0, 7, 8])]
        _, targets = scoring_windows(documents, 4)
        self.assertEqual([int(target) for target in targets.ravel() if target != -100], [*range(1, 11), 7, 8])


if __name__ == "__main__":
    unittest.main()
