"""How far an exported model may be from the one it was made from; `verify` holds it to that."""

from __future__ import annotations

# The largest difference allowed, in scores (0 to 1) and in relative box coordinates (0 to 1).
# Float32 on two runtimes differs by about 1e-6 to 1e-4; half a pixel of 500 is 1e-3.
TOLERANCE = 1e-3


# TensorRT multiplies in TF32 where the GPU has it, which keeps 10 bits of the mantissa, three
# decimal digits (NVIDIA, "Accelerating inference with sparsity and TF32").
TF32_TOLERANCE = 1e-2
