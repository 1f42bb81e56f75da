"""
Pretrains a Llama on exported tokens, in bfloat16 on the CPU, and writes a Hugging Face folder.

The learning rate warms up, stays constant, and falls linearly over the last `--cooldown` steps. A run can be stopped (Ctrl-C
saves a checkpoint) and resumed. Its end can be moved while it runs, by a file end.json in the checkpoint folder,
`{"steps": 900, "cooldown": 300}`. Before the cool-down this has the same effect as planning it from the start; during the
cool-down it bends the line, which is recorded.
"""

import argparse
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from grow import grow
from llama import Llama
from token_rows import Batches, Corpus, scoring_windows

# Tokens per row: the context of both models.
LENGTH = 256
HELD_OUT_ROWS = 32
# Rows that one thread processes at a time.
PART_ROWS = 4


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", required=True, help="output folder of `npm run pretrain -- tokens`")
    parser.add_argument("--work", required=True, help="folder for checkpoints")
    parser.add_argument("--out", required=True, help="folder for the model")
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--cooldown", type=int, default=1300, help="final steps over which the rate falls")
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--batch", type=int, default=16, help="rows per step")
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--repeat-base", type=int, default=2, help="number of times that a pass reads the base text")
    parser.add_argument("--grow-from", required=True, help="folder of the smaller model to start from")
    parser.add_argument("--copies", type=int, default=3, help="widening factor")
    parser.add_argument("--before", help="checkpoint of an earlier run; this run starts between its start and its end")
    parser.add_argument("--before-share", type=float, default=0.5, help="position between its start (0) and its end (1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--evaluate-every", type=int, default=250)
    parser.add_argument("--checkpoint-seconds", type=float, default=150)
    parser.add_argument("--held-out-documents", type=int, default=40, help="held-out documents per group to score")
    return parser.parse_args()


def recipe_of(options):
    """Everything that determines a run, with the keys of training.json."""
    return {
        "steps": options.steps,
        "batchSize": options.batch,
        "sequenceLength": LENGTH,
        "seed": options.seed,
        "learningRate": options.learning_rate,
        "cooldownSteps": options.cooldown,
        "warmupSteps": options.warmup,
        "finalShare": 0.05,
        "weightDecay": 0.1,
        "beta1": 0.9,
        "beta2": 0.98,
        "clipNorm": 1.0,
        "repeatBase": options.repeat_base,
        "grownFrom": Path(options.grow_from).name,
        "copies": options.copies,
    }


def learning_rate(recipe, step, previous):
    """
    Learning rate of step `step`, counted from 0; `previous` is the rate of the previous step.
    In the cool-down the rate falls along the line from the previous rate to the final one: a straight line if the end stays
    the same, and one with a bend if it was moved.
    """
    peak = recipe["learningRate"]
    if step < recipe["warmupSteps"]:
        return peak * (step + 1) / recipe["warmupSteps"]
    left = recipe["steps"] - step
    if left >= recipe["cooldownSteps"]:
        return peak
    floor = peak * recipe["finalShare"]
    return floor + (previous - floor) * left / (left + 1)


def optimizer_of(model, recipe):
    matrices = [parameter for parameter in model.parameters() if parameter.dim() == 2]
    gains = [parameter for parameter in model.parameters() if parameter.dim() != 2]
    groups = [
        {"params": matrices, "weight_decay": recipe["weightDecay"]},
        {"params": gains, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(recipe["beta1"], recipe["beta2"]), fused=True)


def held_out_nats(model, windows, pool):
    inputs, targets = windows

    @torch.no_grad()
    def score(first):
        goal = targets[first : first + HELD_OUT_ROWS].reshape(-1)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(inputs[first : first + HELD_OUT_ROWS])
        return F.cross_entropy(logits.float().reshape(len(goal), -1), goal, reduction="sum").item()

    total = sum(pool.map(score, range(0, len(inputs), HELD_OUT_ROWS)))
    return total / int((targets != -100).sum())


def write_atomically(path, write):
    part = Path(f"{path}.part")
    write(part)
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    part.rename(path)


class Run:
    """Weights, moments and measurements, all in one checkpoint."""

    def __init__(self, options):
        self.options, self.recipe = options, recipe_of(options)
        self.corpus = Corpus(options.tokens)
        self.config, weights = grow(options.grow_from, options.copies, options.seed)
        self.model = Llama(self.config)
        self.earlier = []
        if options.before:
            weights = self._between(weights, torch.load(options.before, weights_only=True))
        self.model.load_state_dict(weights)
        self.parameters = list(self.model.parameters())
        self.optimizer = optimizer_of(self.model, self.recipe)
        self.pool = ThreadPoolExecutor(options.threads)
        self.step, self.seconds, self.held_out = 0, 0.0, []
        self.rate, self.end_moves = 0.0, []
        self.path = Path(options.work) / "checkpoint.pt"
        if self.path.exists():
            self._resume()

    @property
    def steps_before(self):
        """Steps of the runs that this one continues; the text continues where they stopped."""
        return sum(run["step"] for run in self.earlier)

    def _between(self, start, before):
        """Weights on the straight line from a run's start to its end. Averaging removes the noise of a high learning rate."""
        share = self.options.before_share
        if share != 1 and before["earlier"]:
            raise SystemExit(f"{self.options.before} continued another run, so its start is unknown: pass --before-share 1")
        run = {
            "recipe": before["recipe"],
            "endMoves": before["endMoves"],
            "step": before["step"],
            "seconds": round(before["seconds"]),
            "heldOutLosses": before["heldOut"],
            "share": share,
        }
        self.earlier = [*before["earlier"], run]
        return {name: (1 - share) * weight + share * before["model"][name] for name, weight in start.items()}

    def _resume(self):
        kept = torch.load(self.path, weights_only=True)
        lengths = {name: kept["recipe"][name] for name in ("steps", "cooldownSteps")}
        if kept["recipe"] != {**self.recipe, **lengths} or kept["config"] != self.config:
            raise SystemExit(f"{self.path} belongs to another recipe: {kept['recipe']}")
        if kept["earlier"] != self.earlier:
            raise SystemExit(f"{self.path} continued other runs: pass the --before and --before-share that it was started with")
        # The end may have been moved since the original command line.
        self.recipe |= lengths
        self.rate, self.end_moves = kept["rate"], kept["endMoves"]
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.step, self.seconds, self.held_out = kept["step"], kept["seconds"], kept["heldOut"]

    def move_end(self):
        """Applies a new end of the run from end.json."""
        path = Path(self.options.work) / "end.json"
        if not path.exists():
            return
        end = json.loads(path.read_text())
        path.unlink()
        length = {"steps": end["steps"], "cooldownSteps": end["cooldown"]}
        before, after = (it["steps"] - it["cooldownSteps"] for it in (self.recipe, length))
        if end["steps"] <= self.step or (after < self.step and after < before):
            print(f"step {self.step} is past the requested end or cool-down: the end is not moved", flush=True)
            return
        if before < self.step:
            # The completed steps belong to the cool-down that had started.
            length["cooldownSteps"] = end["steps"] - before
            self.end_moves.append({"step": self.step, **length})
        self.recipe |= length
        print(f"the run now ends at step {end['steps']}, after a cool-down of {length['cooldownSteps']}", flush=True)

    def keep(self):
        content = {
            "recipe": self.recipe,
            "config": self.config,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "heldOut": self.held_out,
            "rate": self.rate,
            "endMoves": self.end_moves,
            "earlier": self.earlier,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, lambda part: torch.save(content, part))

    def _gradients(self, part):
        """Summed loss of some rows and its gradients, separate from those of other threads."""
        inputs, targets = part
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(inputs)
        loss = F.cross_entropy(
            logits.float().reshape(targets.numel(), -1), targets.reshape(-1), reduction="sum"
        )
        return loss.item(), torch.autograd.grad(loss, self.parameters)

    def take_step(self, inputs, targets):
        """
        Applies one update and returns its loss in nats per token and gradient norm.
        Threads process parts of the batch rather than parts of an operation, so that they do not wait for each other inside an
        operation if other programs use the cores too. The parts are summed in their order, whichever thread computed them.
        """
        self.rate = learning_rate(self.recipe, self.step, self.rate)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        parts = list(zip(inputs.split(PART_ROWS), targets.split(PART_ROWS)))
        results = list(self.pool.map(self._gradients, parts))
        count = targets.numel()
        for place, parameter in enumerate(self.parameters):
            total = results[0][1][place].clone()
            for _, gradients in results[1:]:
                total += gradients[place]
            parameter.grad = total / count
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe["clipNorm"])
        self.optimizer.step()
        self.step += 1
        return sum(loss for loss, _ in results) / count, norm.item()

    def measure(self, held_out):
        nats = {name: round(held_out_nats(self.model, windows, self.pool), 4) for name, windows in held_out.items()}
        self.held_out.append({"step": self.step, **nats})
        print(f"step {self.step} held-out {nats}", flush=True)

    def write(self, folder):
        """Writes config.json, model.safetensors in bfloat16, and the run's data for training.json."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: weight.to(torch.bfloat16) for name, weight in self.model.state_dict().items()}
        write_atomically(
            folder / "model.safetensors", lambda part: save_file(weights, part, metadata={"format": "pt"})
        )
        (folder / "model.safetensors").chmod(0o644)
        (folder / "config.json").write_text(json.dumps(self.config, indent=2) + "\n")
        report = {
            "engine": f"PyTorch {torch.__version__.split('+')[0]}, bfloat16 autocast",
            "recipe": self.recipe,
            "earlier": self.earlier,
            "endMoves": self.end_moves,
            "step": self.step,
            "seconds": round(self.seconds),
            "threads": self.options.threads,
            "heldOutLosses": self.held_out,
        }
        (folder / "run.json").write_text(json.dumps(report, indent=2) + "\n")


def main():
    options = parse()
    # Threads share the rows of a batch; operations are not split.
    torch.set_num_threads(1)
    run = Run(options)
    corpus, recipe = run.corpus, run.recipe
    batches = Batches(corpus, {"base": recipe["repeatBase"]}, recipe["batchSize"], LENGTH, recipe["seed"])
    held_out = {}
    for name in corpus.groups:
        documents = corpus.documents(name, "heldout")
        # Spread over the group, whose documents are sorted by origin.
        stride = max(1, len(documents) // options.held_out_documents)
        held_out[name] = scoring_windows(documents[::stride], LENGTH)
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    print(f"{parameters} parameters, {batches.pass_tokens} tokens per pass, from step {run.step}", flush=True)
    if run.step == 0:
        run.measure(held_out)

    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    began, before, kept = time.monotonic(), run.seconds, time.monotonic()
    first_step = run.step
    while run.step < recipe["steps"] and not stopped:
        run.move_end()
        loss, norm = run.take_step(*batches.batch(run.steps_before + run.step))
        now = time.monotonic()
        run.seconds = before + now - began
        if run.step % options.evaluate_every == 0 or run.step == recipe["steps"]:
            run.measure(held_out)
        if run.step % 25 == 0:
            pace = (now - began) / (run.step - first_step)
            print(
                f"{time.strftime('%H:%M:%S')} step {run.step}/{recipe['steps']} loss {loss:.3f} lr {run.rate:.2e} "
                f"|g| {norm:.2f} {pace:.2f} s per step, {(recipe['steps'] - run.step) * pace / 60:.0f} min left",
                flush=True,
            )
        if time.monotonic() - kept > options.checkpoint_seconds:
            run.keep()
            kept = time.monotonic()
    run.keep()
    if run.step < recipe["steps"]:
        print(f"stopped at step {run.step}; the same command resumes there", flush=True)
        return
    run.write(options.out)
    print(f"wrote {options.out}", flush=True)


if __name__ == "__main__":
    main()
