"""Folders of labellers of the hub's kinds, tiny and random, as `save_pretrained` writes them.

Built in a tenth of a second each and loaded by the real code, with torch and transformers.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.late import late

if TYPE_CHECKING:
    import torch
    import transformers as tf
else:
    torch, tf = map(late, ("torch", "transformers"))

_HIDDEN = 128  # what SAM 3's tracker needs at least
_SIDE, _PATCH = 112, 14
_GRID = _SIDE // _PATCH


def clip_tokenizer(first: int = 0) -> Any:
    """CLIP's tokenizer with letters for words; `first` is the id of the start token."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    vocab = {"!": 0} if first else {}
    vocab |= {"<|startoftext|>": first, "<|endoftext|>": first + 1}
    letters = list(bytes_to_unicode().values())
    for letter in (*letters, *(f"{letter}</w>" for letter in letters)):
        vocab.setdefault(letter, len(vocab))
    return tf.CLIPTokenizer(vocab=vocab, merges=[], **({"pad_token": "!"} if first else {}))


def sam3_vision() -> dict[str, Any]:
    return {
        "backbone_config": {
            "model_type": "sam3_vit_model", "hidden_size": _HIDDEN, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": _SIDE,
            "patch_size": _PATCH, "window_size": 4, "global_attn_indexes": [1],
            "pretrain_image_size": 56,
        },
        "fpn_hidden_size": _HIDDEN,
        "backbone_feature_sizes": [[4 * _GRID] * 2, [2 * _GRID] * 2, [_GRID] * 2],
    }  # fmt: skip


def sam3_config() -> Any:
    part = {"hidden_size": _HIDDEN, "num_attention_heads": 2}
    layers = {**part, "num_layers": 1, "intermediate_size": 64}
    return tf.Sam3Config(
        vision_config=sam3_vision(),
        text_config={
            "model_type": "clip_text_model", "vocab_size": 520, "hidden_size": _HIDDEN,
            "intermediate_size": 64, "projection_dim": 16, "num_hidden_layers": 2,
            "num_attention_heads": 2, "max_position_embeddings": 32, "hidden_act": "gelu",
            "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
        },
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_queries": 20},
        mask_decoder_config=part,
    )  # fmt: skip


def sam3_images() -> Any:
    mask = 4 * _GRID
    return tf.Sam3ImageProcessor(
        size={"height": _SIDE, "width": _SIDE}, mask_size={"height": mask, "width": mask}
    )


def make_sam3(folder: Path) -> Path:
    torch.manual_seed(0)
    tf.Sam3Model(sam3_config()).save_pretrained(folder)
    tf.Sam3Processor(sam3_images(), clip_tokenizer()).save_pretrained(folder)
    return folder


def make_owlv2(folder: Path) -> Path:
    torch.manual_seed(0)
    part = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }  # fmt: skip
    config = tf.Owlv2Config(
        text_config={
            **part, "vocab_size": 520, "max_position_embeddings": 16, "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2,
        },
        vision_config={**part, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )  # fmt: skip
    tf.Owlv2ForObjectDetection(config).save_pretrained(folder)
    images = tf.Owlv2ImageProcessor(size={"height": 64, "width": 64})
    tf.Owlv2Processor(images, clip_tokenizer(first=1)).save_pretrained(folder)
    return folder


def make_grounding_dino(folder: Path, prefix: str = "") -> Path:
    """Grounding DINO, or with the prefix MM another of the same interface."""
    torch.manual_seed(0)
    config = getattr(tf, f"{prefix}GroundingDinoConfig")(
        backbone_config=tf.SwinConfig(
            embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
            image_size=64, out_indices=[2, 3, 4],
        ),
        text_config=tf.BertConfig(
            vocab_size=600, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=256,
        ),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, num_queries=20,
        num_feature_levels=4, text_enhancer_dropout=0.0,
    )  # fmt: skip
    getattr(tf, f"{prefix}GroundingDinoForObjectDetection")(config).save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?"]
    letters = list(string.ascii_lowercase)
    vocab = [*words, *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = tf.BertTokenizer(vocab={word: number for number, word in enumerate(vocab)})
    images = tf.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 128})
    tf.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def make_tracker(folder: Path) -> Path:
    """SAM 3's tracker model alone."""
    torch.manual_seed(0)
    config = tf.Sam3TrackerConfig(vision_config=sam3_vision(), **_tracker_parts())
    tf.Sam3TrackerModel(config).save_pretrained(folder)
    tf.Sam3TrackerProcessor(sam3_images()).save_pretrained(folder)
    return folder


def make_sam3_video(folder: Path) -> Path:
    """SAM 3's model for videos as `save_pretrained` writes it: for pictures, and the tracker.

    It writes `tracker_model.` twice before the tracker's parameters (transformers 5.23.0), which
    the hub's file has once (`conversion_mapping.py`, "sam3_tracker").
    """
    torch.manual_seed(0)
    tracker = {
        "model_type": "sam3_tracker_video", "vision_config": sam3_vision(), "image_size": _SIDE,
        "memory_attention_hidden_size": _HIDDEN, "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 64, "memory_encoder_hidden_size": _HIDDEN,
        "memory_encoder_output_channels": 64, "mask_downsampler_embed_dim": _HIDDEN,
        "memory_fuser_embed_dim": _HIDDEN, "memory_fuser_intermediate_dim": 64, **_tracker_parts(),
    }  # fmt: skip
    config = tf.Sam3VideoConfig(
        detector_config=sam3_config().to_dict(), tracker_config=tracker, low_res_mask_size=4 * _GRID
    )
    tf.Sam3VideoModel(config).save_pretrained(folder)
    videos = tf.Sam2VideoVideoProcessor(size={"height": _SIDE, "width": _SIDE})
    tf.Sam3VideoProcessor(sam3_images(), videos, clip_tokenizer()).save_pretrained(folder)
    return folder


def _tracker_parts() -> dict[str, Any]:
    return {
        "prompt_encoder_config": {
            "hidden_size": _HIDDEN, "image_size": _SIDE, "patch_size": _PATCH,
        },
        "mask_decoder_config": {
            "hidden_size": _HIDDEN, "mlp_dim": 64, "num_attention_heads": 2,
            "iou_head_hidden_dim": _HIDDEN,
        },
    }  # fmt: skip


MAKERS = {"sam3": make_sam3, "owlv2": make_owlv2, "grounding-dino": make_grounding_dino}
