#!/usr/bin/env bash
# transformers 5.23.0 and torch 2.15.0 (PyPI), Python 3.11. Takes some 6 GB while this runs; no weights, no network
# but the package index.
#
# `Sam3VideoModel.save_pretrained` writes the tracker's parameters as `tracker_model.tracker_model.…`. The same
# library's `Sam3TrackerModel` looks for them with that prefix once, so a folder that was saved from the video model
# gives it 147 random parameters and a warning; with the prefix taken off once, nothing is missing. The detector,
# `Sam3Model`, finds all of its own in the same folder.
#
# Seen: "names begin with tracker_model.tracker_model", "Sam3TrackerModel misses 147", "renamed misses 0",
# "Sam3Model misses 0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet transformers==5.23.0 torch==2.15.0 torchvision pillow
cat >"$folder/show.py" <<'PY'
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"

import torch
import transformers as tf
from safetensors.torch import load_file, save_file

SIDE, HIDDEN, GRID = 112, 128, 8
torch.manual_seed(0)
vision = {
    "backbone_config": {
        "model_type": "sam3_vit_model", "hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": SIDE, "patch_size": 14, "window_size": 4,
        "global_attn_indexes": [1], "pretrain_image_size": 56,
    },
    "fpn_hidden_size": HIDDEN,
    "backbone_feature_sizes": [[4 * GRID] * 2, [2 * GRID] * 2, [GRID] * 2],
}
layers = {"hidden_size": HIDDEN, "num_attention_heads": 2, "num_layers": 1, "intermediate_size": 64}
detector = tf.Sam3Config(
    vision_config=vision,
    text_config={
        "model_type": "clip_text_model", "vocab_size": 520, "hidden_size": HIDDEN, "intermediate_size": 64,
        "projection_dim": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32,
    },
    geometry_encoder_config=layers,
    detr_encoder_config=layers,
    detr_decoder_config={**layers, "num_queries": 20},
    mask_decoder_config={"hidden_size": HIDDEN, "num_attention_heads": 2},
)
tracker = {
    "model_type": "sam3_tracker_video", "vision_config": vision, "image_size": SIDE,
    "memory_attention_hidden_size": HIDDEN, "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": 64, "memory_encoder_hidden_size": HIDDEN,
    "memory_encoder_output_channels": 64, "mask_downsampler_embed_dim": HIDDEN,
    "memory_fuser_embed_dim": HIDDEN, "memory_fuser_intermediate_dim": 64,
    "prompt_encoder_config": {"hidden_size": HIDDEN, "image_size": SIDE, "patch_size": 14},
    "mask_decoder_config": {
        "hidden_size": HIDDEN, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": HIDDEN,
    },
}
saved = Path(sys.argv[1]) / "saved"
config = tf.Sam3VideoConfig(
    detector_config=detector.to_dict(), tracker_config=tracker, low_res_mask_size=4 * GRID
)
tf.Sam3VideoModel(config).save_pretrained(saved)


def missing(model):
    return len(model.from_pretrained(saved, output_loading_info=True)[1]["missing_keys"])


weights = load_file(saved / "model.safetensors")
twice = "tracker_model.tracker_model."
print("names begin with", twice[:-1] if any(name.startswith(twice) for name in weights) else "something else")
print("Sam3TrackerModel misses", missing(tf.Sam3TrackerModel))
print("Sam3Model misses", missing(tf.Sam3Model))
once = {name.replace(twice, "tracker_model.", 1): value for name, value in weights.items()}
save_file(once, saved / "model.safetensors", metadata={"format": "pt"})
print("renamed misses", missing(tf.Sam3TrackerModel))
PY
seen=$("$folder/env/bin/python" "$folder/show.py" "$folder" 2>/dev/null)
printf '%s\n' "$seen"
diff <(printf '%s\n' "$seen") - <<'SEEN'
names begin with tracker_model.tracker_model
Sam3TrackerModel misses 147
Sam3Model misses 0
renamed misses 0
SEEN
