#!/usr/bin/env bash
# transformers 5.23.0 and torch 2.15.0 (PyPI), Python 3.11. No weights, no network but the package index.
#
# `Sam3Processor` fills a phrase up to the 32 tokens that SAM 3's text model has places for, and lets a longer one
# through whole, with a warning of the tokenizer at most. The model then raises a ValueError about position
# embeddings. `truncation=True` in the call does not help: the processor hands it to its image processor, which raises
# a TypeError. Cut by the processor's own tokenizer, the same phrase works.
# The tokenizer here has letters for words, so that no vocabulary is fetched.
#
# Seen: the four lines at the end.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet transformers==5.23.0 torch==2.15.0 torchvision pillow
cat >"$folder/show.py" <<'PY'
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"

import torch
import transformers as tf
from PIL import Image
from transformers.models.clip.tokenization_clip import CLIPTokenizer

letters = "abcdefghijklmnopqrstuvwxyz"
vocab = {"<|startoftext|>": 0, "<|endoftext|>": 1}
for letter in (*letters, *(f"{letter}</w>" for letter in letters)):
    vocab.setdefault(letter, len(vocab))
side, hidden = 112, 128
part = {"hidden_size": hidden, "num_attention_heads": 2}
layers = {**part, "num_layers": 1, "intermediate_size": 64}
torch.manual_seed(0)
model = tf.Sam3Model(tf.Sam3Config(
    vision_config={
        "backbone_config": {
            "model_type": "sam3_vit_model", "hidden_size": hidden, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": side, "patch_size": 14, "window_size": 4,
            "global_attn_indexes": [1], "pretrain_image_size": 56,
        },
        "fpn_hidden_size": hidden,
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    },
    text_config={
        "model_type": "clip_text_model", "vocab_size": 520, "hidden_size": hidden, "intermediate_size": 64,
        "projection_dim": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    },
    geometry_encoder_config=layers, detr_encoder_config=layers,
    detr_decoder_config={**layers, "num_queries": 20}, mask_decoder_config=part,
)).eval()
processor = tf.Sam3Processor(
    tf.Sam3ImageProcessor(size={"height": side, "width": side}, mask_size={"height": 32, "width": 32}),
    CLIPTokenizer(vocab=vocab, merges=[]),
)
picture = Image.new("RGB", (160, 120))
for name, phrase, more in (
    ("short", "cat", {}), ("long", "abcdefgh " * 6, {}), ("long, truncation=True", "abcdefgh " * 6, {"truncation": True})
):
    try:
        inputs = processor(images=picture, text=phrase, return_tensors="pt", **more)
        ended = f"{inputs['input_ids'].shape[1]} tokens, "
        with torch.no_grad():
            model(**inputs)
        ended += "works"
    except (TypeError, ValueError) as error:
        ended = f"{ended if isinstance(error, ValueError) else ''}{type(error).__name__}"
    print(f"{name}: {ended}")
pixels = processor(images=picture, text="cat", return_tensors="pt")
cut = processor.tokenizer(
    "abcdefgh " * 6, return_tensors="pt", padding="max_length", truncation=True, max_length=32
)
with torch.no_grad():
    model(**{**pixels, **cut})
print(f"long, cut by the tokenizer: {cut['input_ids'].shape[1]} tokens, works")
PY
seen=$("$folder/env/bin/python" "$folder/show.py" 2>/dev/null)
printf '%s\n' "$seen"
diff <(printf '%s\n' "$seen") - <<'SEEN'
short: 32 tokens, works
long: 50 tokens, ValueError
long, truncation=True: TypeError
long, cut by the tokenizer: 32 tokens, works
SEEN
