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


YARN = {"rope_type": "yarn", "rope_theta": 50.0, "factor": 4.0, "original_max_position_embeddings": 16}
VISION = {
    "hidden_size": 8,
    "intermediate_size": 6,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 4,
    "patch_size": 2,
    "num_channels": 3,
}
GRANITE_4 = sizes(
    num_hidden_layers=2,
    layer_types=["full_attention", "full_attention"],
    shared_intermediate_size=10,
    num_local_experts=0,
    num_experts_per_tok=0,
    embedding_multiplier=6.0,
    attention_multiplier=0.6,
    residual_multiplier=0.4,
    logits_scaling=0.5,
    mamba_n_heads=4,
    mamba_expand=2,
)
GEMMA_2_3 = sizes(head_dim=8, num_key_value_heads=1, query_pre_attn_scalar=24, sliding_window=5)

FAMILIES = {
    "gemma": {
        "Gemma": ("GemmaForCausalLM", sizes(head_dim=8, num_key_value_heads=2, num_hidden_layers=2)),
        "Gemma 2": (
            "Gemma2ForCausalLM",
            {**GEMMA_2_3, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 1.0},
        ),
        "Gemma 3": (
            "Gemma3ForCausalLM",
            {
                **GEMMA_2_3,
                "num_hidden_layers": 2,
                "attention_bias": True,
                "layer_types": ["sliding_attention", "full_attention"],
                "rope_parameters": nested(
                    {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0},
                    {"rope_type": "default", "rope_theta": 30.0},
                ),
            },
        ),
    },
    "smollm3": {
        "SmolLM3": ("SmolLM3ForCausalLM", sizes(num_hidden_layers=4)),
        "SmolLM3 with windows and YaRN": (
            "SmolLM3ForCausalLM",
            sizes(
                num_hidden_layers=2,
                attention_bias=True,
                mlp_bias=True,
                no_rope_layers=[1, 0],
                use_sliding_window=True,
                sliding_window=4,
                rope_parameters={**YARN, "truncate": False, "beta_fast": 4.0, "beta_slow": 0.5},
            ),
        ),
    },
    "phi3": {
        "Phi-3": ("Phi3ForCausalLM", sizes(num_hidden_layers=2, sliding_window=5)),
        "Phi-4-mini": (
            "Phi3ForCausalLM",
            sizes(
                num_hidden_layers=2,
                hidden_size=16,
                tie_word_embeddings=True,
                original_max_position_embeddings=8,
                rope_parameters={
                    "rope_type": "longrope",
                    "rope_theta": 100.0,
                    "partial_rotary_factor": 0.75,
                    "short_factor": [1.0, 1.5, 2.0],
                    "long_factor": [1.0, 4.0, 9.0],
                },
            ),
        ),
    },
    "granite": {
        "Granite 3": (
            "GraniteForCausalLM",
            sizes(
                num_hidden_layers=2, embedding_multiplier=6.0, attention_multiplier=0.6, residual_multiplier=0.4,
                logits_scaling=0.5, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
            ),
        ),
        "Granite 4": ("GraniteMoeHybridForCausalLM", {**GRANITE_4, "position_embedding_type": "rope"}),
        "Granite 4 without positions": ("GraniteMoeHybridForCausalLM", {**GRANITE_4, "num_hidden_layers": 1, "layer_types": ["full_attention"]}),
    },
    "olmo": {
        "OLMo 2": ("Olmo2ForCausalLM", sizes(num_hidden_layers=2)),
        "OLMo 3": (
            "Olmo3ForCausalLM",
            sizes(
                sliding_window=4,
                attention_bias=True,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                rope_parameters=nested({**YARN, "rope_theta": 500000.0, "original_max_position_embeddings": 8}, {"rope_type": "default", "rope_theta": 500000.0}),
            ),
        ),
    },
    "lfm2": {
        "LFM2 without biases": ("Lfm2ForCausalLM", sizes(layer_types=["conv", "conv", "full_attention"], conv_L_cache=4, block_auto_adjust_ff_dim=False)),
        "LFM2": (
            "Lfm2ForCausalLM",
            sizes(
                layer_types=["conv", "full_attention", "conv"],
                conv_bias=True,
                block_multiple_of=4,
                block_ffn_dim_multiplier=1.2,
            ),
        ),
    },
    "ministral": {
        "Ministral 3": (
            "Ministral3ForCausalLM",
            sizes(
                head_dim=8,
                sliding_window=9,
                rope_parameters={
                    **YARN,
                    "mscale": 1.0,
                    "mscale_all_dim": 0.5,
                    "llama_4_scaling_beta": 0.7,
                    "max_position_embeddings": 64,
                    "original_max_position_embeddings": 4,
                },
            ),
        ),
    },
    "rotations": {
        "Llama with YaRN": ("LlamaForCausalLM", sizes(num_hidden_layers=1, head_dim=12, rope_parameters={**YARN, "rope_theta": 1000.0})),
        "Qwen3 with YaRN and a factor of its own": (
            "Qwen3ForCausalLM",
            sizes(num_hidden_layers=1, head_dim=8, rope_parameters={**YARN, "attention_factor": 1.3}),
        ),
        "Llama with dynamic NTK": (
            "LlamaForCausalLM",
            sizes(
                num_hidden_layers=1,
                head_dim=8,
                max_position_embeddings=8,
                rope_parameters={"rope_type": "dynamic", "factor": 3.0, "rope_theta": 100.0},
            ),
        ),
        "Mistral with longrope": (
            "MistralForCausalLM",
            sizes(
                num_hidden_layers=1,
                head_dim=4,
                rope_parameters={
                    "rope_type": "longrope",
                    "rope_theta": 100.0,
                    "short_factor": [1.0, 2.0],
                    "long_factor": [2.0, 5.0],
                    "original_max_position_embeddings": 32,
                    "factor": 2.0,
                },
            ),
        ),
    },
    "towers": {
        "Gemma 3 with images": ("Gemma3ForConditionalGeneration", {
            "text_config": {
                **GEMMA_2_3,
                "num_hidden_layers": 6,
                "intermediate_size": 8,
                "query_pre_attn_scalar": 8,
                "rope_parameters": nested(
                    {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                    {"rope_type": "default", "rope_theta": 10000.0},
                ),
            },
            "vision_config": {**VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
            "mm_tokens_per_image": 4,
            "image_token_index": 22,
        }),
        "Ministral 3 with images": ("Mistral3ForConditionalGeneration", {
            "text_config": {
                **sizes(num_hidden_layers=1, head_dim=8),
                "model_type": "ministral3",
                "rope_parameters": {**YARN, "llama_4_scaling_beta": 0.3, "original_max_position_embeddings": 4},
            },
            "vision_config": {**VISION, "model_type": "pixtral", "head_dim": 4},
            "image_token_index": 22,
            "tie_word_embeddings": False,
        }),
    },
}
