"""What transformers and PEFT compute with tiny models of a family that transformers saved itself.

Run with a Python that has transformers (5.18 or later), PEFT and PyTorch, for one family or for all:

    python3 checks/vectors/family-vectors.py test/unit/model/vectors/families gemma
    python3 checks/vectors/family-vectors.py test/unit/model/vectors/families

A file holds, for each case: config.json and model.safetensors as save_pretrained wrote them, the same config in the
spelling of transformers 4, logits, the modules that PEFT's all-linear adapts, factors for them, loss and gradients with
these, and greedy texts.
"""

import base64
import copy
import json
import pathlib
import sys
import tempfile
import zlib

import numpy
import peft
import torch
import transformers
from transformers import AutoConfig

from family_cases import FAMILIES

BATCH, LENGTH, RANK, ALPHA = 2, 12, 2, 3.0
PROMPT, MADE = 5, 14


def numbers(tensor, kind="float32"):
    """Little-endian float32 or float16 in base64, with the shape."""
    code = {"float32": "<f4", "float16": "<f2"}[kind]
    data = numpy.ascontiguousarray(tensor.detach().float().numpy(), dtype=code).tobytes()
    return {"shape": list(tensor.shape), kind: base64.b64encode(data).decode()}


def randomise(model, generator):
    """Weights as far from plain ones as trained ones are, each a float16."""
    fresh = {}
    for name, parameter in model.named_parameters():
        deviation = 0.2 if parameter.dim() == 1 else 1.2 / parameter.shape[-1] ** 0.5
        if "embed" in name:
            deviation /= 4  # else a tied head repeats the token that it reads
        values = torch.randn(parameter.shape, generator=generator) * deviation
        # Norms are made as 1 in most families, and as 0 where 1 is added to them.
        is_norm = parameter.dim() == 1 and not name.endswith(".bias")
        if is_norm and bool((parameter == 1).all()):
            values = values + 1
        fresh[name] = values.half().float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(fresh[name])


def text_config(config):
    return config.get("text_config", config)


def older_spelling(config):
    """The config as transformers 4 would have written it; transformers itself has to read the same from both."""
    older = copy.deepcopy(config)
    older["torch_dtype"] = older.pop("dtype", None)
    text = text_config(older)
    rope = text.pop("rope_parameters", None)
    if rope is not None and "full_attention" in rope:
        full, sliding = rope["full_attention"], rope["sliding_attention"]
        local = sliding.pop("rope_theta")
        if text["model_type"] == "gemma3_text":
            text["rope_local_base_freq"] = local
        rope = full
    if rope is not None:
        rope = dict(rope)
        text["rope_theta"] = rope.pop("rope_theta")
        partial = rope.pop("partial_rotary_factor", None)
        if partial is not None:
            text["partial_rotary_factor"] = partial
        text["rope_scaling"] = None if rope.get("rope_type", "default") == "default" else rope
    # Of state-space layers; transformers does not read back what it writes of an infinite limit.
    readable = [{k: v for k, v in each.items() if k != "time_step_limit"} for each in (config, older)]
    read = [json.loads(AutoConfig.for_model(**copy.deepcopy(each)).to_json_string(use_diff=False)) for each in readable]
    differing = [
        key
        for key in text_config(read[0])
        if key.startswith("rope") and text_config(read[0]).get(key) != text_config(read[1]).get(key)
    ]
    assert not differing, (differing, read[0].get("rope_parameters"), read[1].get("rope_parameters"))
    return older


def weighted_loss(logits, targets, weights):
    log_probabilities = logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return -(log_probabilities * weights).sum() / weights.sum()


def make_case(name, class_name, settings):
    torch.manual_seed(zlib.crc32(name.encode()))
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model_class = getattr(transformers, class_name)
    config = model_class.config_class(**copy.deepcopy(settings))
    # Eager attention takes soft caps; the others of transformers refuse or drop them.
    config._attn_implementation = "eager"
    model = model_class(config).float().eval()
    randomise(model, generator)
    with tempfile.TemporaryDirectory() as folder:
        copy.deepcopy(model).half().save_pretrained(folder)
        weights = pathlib.Path(folder, "model.safetensors").read_bytes()
        saved = json.loads(pathlib.Path(folder, "config.json").read_text())
        model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    vocabulary = text_config(saved)["vocab_size"]
    ids = torch.randint(vocabulary, (BATCH, LENGTH), generator=generator)
    ids[0, 3] = ids[0, 0]
    targets = torch.randint(vocabulary, (BATCH, LENGTH), generator=generator)
    target_weights = torch.ones(BATCH, LENGTH)
    target_weights[0, 2], target_weights[1, 5] = 0, 0.5
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    greedy = []
    # A copy: dynamic rotations of transformers stay as the longest text left them.
    generating = copy.deepcopy(model)
    for prompt in ids[:, :PROMPT]:
        made = generating.generate(
            prompt[None], attention_mask=torch.ones(1, PROMPT, dtype=torch.long), do_sample=False,
            max_new_tokens=MADE, min_new_tokens=MADE, eos_token_id=None, pad_token_id=0
        )
        greedy.append({"prompt": prompt.tolist(), "made": made[0, PROMPT:].tolist()})
    targets_of = "all-linear"
    if "text_config" in saved:  # of a model for images too, only the text model is trained
        linear = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
        targets_of = [n for n in linear if ".language_model." in f".{n}"]
    tuned = peft.get_peft_model(model, peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets_of))
    factors = {n: p for n, p in tuned.named_parameters() if ".lora_A." in n or ".lora_B." in n}
    with torch.no_grad():
        for factor in factors.values():
            factor.copy_((torch.randn(factor.shape, generator=generator) * 0.3).half().float())
            factor.requires_grad_(True)
    loss = weighted_loss(tuned(input_ids=ids).logits, targets, target_weights)
    gradients = torch.autograd.grad(loss, list(factors.values()))
    plain = lambda n: n.removeprefix("base_model.model.").replace(".default.", ".")
    return {
        "name": name,
        # As a text: JavaScript does not tell 1.0 from 1, and transformers does.
        "config": json.dumps(saved),
        "olderConfig": older_spelling(saved),
        "safetensors": base64.b64encode(weights).decode(),
        "batch": {
            "batchSize": BATCH,
            "sequenceLength": LENGTH,
            "inputIds": ids.flatten().tolist(),
            "targetIds": targets.flatten().tolist(),
            "targetWeights": target_weights.flatten().tolist(),
        },
        "logits": numbers(logits),
        "greedy": greedy,
        "modules": sorted({plain(n).split(".lora_")[0] for n in factors}),
        "rank": RANK,
        "alpha": ALPHA,
        "lora": {plain(n): numbers(p, "float16") for n, p in factors.items()},
        "loss": loss.item(),
        "gradients": {plain(n): numbers(g) for n, g in zip(factors, gradients)},
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for family in sys.argv[2:] or FAMILIES:
        cases = [make_case(name, *case) for name, case in FAMILIES[family].items()]
        versions = {"transformers": transformers.__version__, "peft": peft.__version__, "torch": torch.__version__}
        text = json.dumps({**versions, "cases": cases}, separators=(",", ":"))
        pathlib.Path(folder, f"{family}.json").write_text(text + "\n")
        print(family, len(text), "bytes", [c["greedy"][0]["made"] for c in cases])


if __name__ == "__main__":
    main()
