"""Tiny models whose settings matter: windows shorter than the sequence, bounds that bite, stretched rotations in use."""

SIZES = {
    "vocab_size": 23,
    "hidden_size": 12,
    "intermediate_size": 14,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "pad_token_id": None,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def sizes(**changes):
    return {**SIZES, **changes}


def nested(full, sliding):
    return {"full_attention": full, "sliding_attention": sliding}


GEMMA_2_3 = sizes(head_dim=8, num_key_value_heads=1, query_pre_attn_scalar=24, sliding_window=5)

FAMILIES = {
    "gemma": {
        "Gemma": ("GemmaForCausalLM", sizes(head_dim=8, num_key_value_heads=2, num_hidden_layers=2)),
        "Gemma 2": (
            "Gemma2ForCausalLM",
            {**GEMMA_2_3, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 1.0, "attention_bias": True},
        ),
        "Gemma 3": (
            "Gemma3ForCausalLM",
            {
                **GEMMA_2_3,
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
                "rope_parameters": nested(
                    {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0},
                    {"rope_type": "default", "rope_theta": 30.0},
                ),
            },
        ),
    },
}
