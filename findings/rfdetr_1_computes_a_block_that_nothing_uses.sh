#!/usr/bin/env bash
# rfdetr 1.11.2 (PyPI) with torch 2.15.0 and transformers 5.23.0, Python 3.11.
#
# The encoder stops behind the last stage that the decoder takes: `if i > early_stop_layer: break` in
# models/backbone/dinov2_with_windowed_attn.py. Stage N is what block N-1 gives, so one block more than is used is
# computed, unless the last stage is the last block. `RFDETRBase` and the deprecated `RFDETRLarge` take the stages
# 2, 5, 8 and 11 of twelve blocks: a twelfth of the encoder's work at each picture is for nothing, and the twelfth
# block's 1.8 million weights never get a gradient. Nano, Small and Medium end with stage 12 and waste nothing.
#
# Seen, the encoder of `RFDETRBase` as `RFDETRBaseConfig` builds it, with random weights: 12 blocks run, 11 have a
# gradient; the outputs without the twelfth block are the same to the bit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet rfdetr==1.11.2 torch==2.15.0 transformers==5.23.0
"$folder/env/bin/python" - <<'PY' 2>/dev/null | tee "$folder/seen"
import torch
from rfdetr.config import RFDETRBaseConfig
from rfdetr.models.backbone.dinov2 import DinoV2

fields = RFDETRBaseConfig.model_fields
stages = fields["out_feature_indexes"].default
encoder = DinoV2(
    shape=(112, 112),
    out_feature_indexes=stages,
    size="small",
    use_registers=False,
    load_dinov2_weights=False,
    patch_size=fields["patch_size"].default,
    num_windows=fields["num_windows"].default,
).eval()
blocks = encoder.encoder.encoder.layer
run = set()
for number, block in enumerate(blocks):
    block.register_forward_hook(lambda *_, number=number: run.add(number))
picture = torch.rand(1, 3, 112, 112)
outputs = encoder(picture)
sum(output.sum() for output in outputs).backward()
learns = [block for block in blocks if any(weight.grad is not None for weight in block.parameters())]
encoder.encoder.encoder.layer = blocks[: stages[-1]]
same = all(map(torch.equal, outputs, encoder(picture)))
print(f"stages {stages}: {len(run)} blocks run, {len(learns)} have a gradient; without the last the same: {same}")
PY
expected="stages [2, 5, 8, 11]: 12 blocks run, 11 have a gradient; without the last the same: True"
grep -qxF "$expected" "$folder/seen" || { echo "changed"; exit 1; }
