"""The Llama of the shipped models in plain PyTorch: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Parameter names and shapes are those of `transformers.LlamaForCausalLM`, so a state dict is a Hugging Face checkpoint.
"""

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, size, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


def rotary_tables(config, length):
    """Cosines and sines of all positions, `[length, head_dim]`, in the order that rotates halves, not pairs."""
    size = config["head_dim"]
    frequencies = config["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().float(), angles.sin().float()


def rotate(x, cosines, sines):
    """`x` is `[batch, heads, seq, head_dim]`."""
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.size = config["hidden_size"], config["head_dim"]
        self.heads, self.key_value_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.q_proj = nn.Linear(hidden, self.heads * self.size, bias=False)
        self.k_proj = nn.Linear(hidden, self.key_value_heads * self.size, bias=False)
        self.v_proj = nn.Linear(hidden, self.key_value_heads * self.size, bias=False)
        self.o_proj = nn.Linear(self.heads * self.size, hidden, bias=False)

    def forward(self, x, cosines, sines):
        batch, length, _ = x.shape

        def split(projected, heads):
            return projected.view(batch, length, heads, self.size).transpose(1, 2)

        queries = rotate(split(self.q_proj(x), self.heads), cosines, sines)
        keys = rotate(split(self.k_proj(x), self.key_value_heads), cosines, sines)
        values = split(self.v_proj(x), self.key_value_heads)
        repeats = self.heads // self.key_value_heads
        keys, values = keys.repeat_interleave(repeats, dim=1), values.repeat_interleave(repeats, dim=1)
        # Uses float32 because PyTorch's attention kernel for CPUs is slower in bfloat16, even with the casts.
        with torch.autocast("cpu", enabled=False):
            mixed = F.scaled_dot_product_attention(
                queries.float(), keys.float(), values.float(), is_causal=True
            ).to(x.dtype)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm = RMSNorm(config["hidden_size"], config["rms_norm_eps"])
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config["hidden_size"], config["rms_norm_eps"])
        self.mlp = FeedForward(config)

    def forward(self, x, cosines, sines):
        x = x + self.self_attn(self.input_layernorm(x), cosines, sines)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = RMSNorm(config["hidden_size"], config["rms_norm_eps"])


class Llama(nn.Module):
    """A causal language model whose head is its embedding."""

    def __init__(self, config):
        super().__init__()
        self.model = Body(config)
        cosines, sines = rotary_tables(config, config["max_position_embeddings"])
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    def forward(self, ids):
        """Logits `[batch, seq, vocabulary]` of the tokens after `ids` `[batch, seq]`."""
        embedding = self.model.embed_tokens
        x = embedding(ids)
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.get_autocast_dtype("cpu"))
        cosines, sines = self.cosines[: ids.shape[1]].to(x.dtype), self.sines[: ids.shape[1]].to(x.dtype)
        for layer in self.model.layers:
            x = layer(x, cosines, sines)
        return F.linear(self.model.norm(x), embedding.weight)
