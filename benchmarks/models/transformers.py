"""Architectures of transformers, at small configurations."""

from __future__ import annotations

import copy
import functools
from typing import Any

from torch import nn

from .entry import VOCABULARY, Entry, Inputs, both, define_torchvision_operators, floats, image, tokens

SPECIAL = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "use_cache": False}
LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = SPECIAL | LAYERS
GROUPED = TEXT | {"num_key_value_heads": 2, "head_dim": 8}
DISENTANGLED = TEXT | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}  # as published; off by default
ENCODER_DECODER = SPECIAL | {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "decoder_start_token_id": 1,
}
PATCHES = LAYERS | {"image_size": 32, "patch_size": 8}
STAGES = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}

IDS = tokens("input_ids")
PAIR = tokens("input_ids", "decoder_input_ids")

# Model type, configuration, inputs. Of architectures that share their code with another (camembert with roberta, deit
# with vit, hubert with wav2vec2, codegen with gptj, mbart and marian with bart, layoutlm with bert) one is here.
ARCHITECTURES: dict[str, tuple[dict[str, Any], Inputs]] = {
    # encoders of text
    "bert": (TEXT, IDS),
    "roberta": (TEXT, IDS),
    "distilbert": (TEXT | {"hidden_dim": 64}, IDS),
    "albert": (TEXT, IDS),
    "electra": (TEXT, IDS),
    "deberta": (DISENTANGLED, IDS),
    "deberta-v2": (DISENTANGLED, IDS),
    "mpnet": (TEXT, IDS),
    "funnel": (
        SPECIAL
        | {
            "architectures": ["FunnelModel"],  # there are two
            "block_sizes": [1, 1],
            "block_repeats": [1, 1],
            "d_model": 32,
            "n_head": 4,
            "d_head": 8,
            "d_inner": 64,
        },
        IDS,
    ),
    "xlnet": (
        SPECIAL | {"d_model": 32, "n_layer": 2, "n_head": 4, "d_head": 8, "d_inner": 64, "use_mems_eval": False},
        IDS,
    ),
    "xlm": (TEXT, IDS),
    "mobilebert": (TEXT, IDS),
    "squeezebert": (TEXT | {"embedding_size": 32}, IDS),
    "nystromformer": (TEXT, IDS),
    "fnet": (TEXT, IDS),
    "convbert": (TEXT, IDS),
    # decoders of text
    "gpt2": (TEXT, IDS),
    "gpt_neo": (TEXT | {"num_layers": 2, "attention_types": [[["global", "local"], 1]]}, IDS),
    "gptj": (TEXT | {"rotary_dim": 8}, IDS),
    "gpt_neox": (TEXT, IDS),
    "opt": (TEXT | {"ffn_dim": 64, "word_embed_proj_dim": 32}, IDS),
    "bloom": (TEXT, IDS),
    "llama": (GROUPED, IDS),
    "mistral": (GROUPED, IDS),
    "mixtral": (GROUPED | {"num_local_experts": 4}, IDS),
    "qwen2": (GROUPED, IDS),
    "qwen3": (GROUPED, IDS),
    "phi": (TEXT, IDS),
    "phi3": (GROUPED, IDS),
    "gemma": (GROUPED, IDS),
    "gemma2": (GROUPED, IDS),
    "falcon": (TEXT, IDS),
    "mpt": (TEXT, IDS),
    "stablelm": (GROUPED, IDS),
    "olmo": (TEXT, IDS),
    # encoders with decoders of text
    "t5": (TEXT | {"d_kv": 8, "d_ff": 64, "num_decoder_layers": 2, "decoder_start_token_id": 0}, PAIR),
    "bart": (ENCODER_DECODER, PAIR),
    "pegasus": (ENCODER_DECODER, PAIR),
    # images
    "vit": (PATCHES, image(32, "pixel_values")),
    "beit": (PATCHES, image(32, "pixel_values")),
    "dinov2": (PATCHES, image(32, "pixel_values")),
    "swin": (
        {"image_size": 32, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
        image(32, "pixel_values"),
    ),
    "convnext": (STAGES, image(64, "pixel_values")),
    "resnet": (STAGES | {"embedding_size": 8, "layer_type": "basic"}, image(64, "pixel_values")),
    "segformer": (STAGES | {"num_attention_heads": [1, 2, 3, 4]}, image(64, "pixel_values")),
    "poolformer": (STAGES, image(64, "pixel_values")),
    "mobilevit": (
        {"image_size": 64, "hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 24, 32, 40, 48]},
        image(64, "pixel_values"),
    ),
    # sound
    "wav2vec2": (
        TEXT | {"conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4},
        floats({"input_values": (8000,)}),
    ),
    "whisper": (
        ENCODER_DECODER | {"num_mel_bins": 16, "max_source_positions": 32, "max_target_positions": 32},
        both(floats({"input_features": (16, 64)}), tokens("decoder_input_ids")),
    ),
    # text with images
    "clip": (
        {"text_config": TEXT, "vision_config": PATCHES, "projection_dim": 16},
        both(IDS, image(32, "pixel_values")),
    ),
}


def entries() -> list[Entry]:
    return [
        Entry("transformers", model_type, functools.partial(_build, model_type, config), inputs)
        for model_type, (config, inputs) in ARCHITECTURES.items()
    ]


def _build(model_type: str, config: dict[str, Any]) -> nn.Module:
    define_torchvision_operators()
    from transformers import AutoConfig, AutoModel

    own = copy.deepcopy(config)  # a configuration keeps the lists and dictionaries that it is given
    return AutoModel.from_config(AutoConfig.for_model(model_type, **own))
