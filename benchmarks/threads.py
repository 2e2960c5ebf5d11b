"""What threads that sleep while they wait (OMP_WAIT_POLICY=PASSIVE) cost and save.

    python benchmarks/threads.py

Trains SegFormer-B0 for a few steps with the default policy and with PASSIVE, each alone and
beside a process that keeps the cores busy, interleaved. Prints seconds per step and ratios.
"""

from __future__ import annotations

import os
import subprocess
import sys

STEPS = """
import time, torch, torch.nn.functional as F
from segmodels.models import create_model
torch.set_num_threads(2)
model = create_model("segformer_b0", num_classes=11, image_size=(176, 240)).train()
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
images, labels = torch.randn(4, 3, 176, 240), torch.randint(0, 11, (4, 176, 240))
seconds = []
for _ in range(10):
    start = time.perf_counter()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.perf_counter() - start)
print(sorted(seconds)[5])
"""
BUSY = "while True: pass"


def seconds_per_step(policy: str | None) -> float:
    """Median seconds of a training step in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if policy:
        environment["OMP_WAIT_POLICY"] = policy
    done = subprocess.run(
        [sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def compare(title: str) -> None:
    """Both policies, three times in turn; medians and their ratio."""
    pairs = [(seconds_per_step(None), seconds_per_step("PASSIVE")) for _ in range(3)]
    spinning, sleeping = (sorted(values)[1] for values in zip(*pairs, strict=True))
    ratio = spinning / sleeping
    print(f"{title}: spinning {spinning:.3f} s, sleeping {sleeping:.3f} s, {ratio:.2f}x")


def main() -> None:
    """Alone, then beside one busy process."""
    compare("alone")
    busy = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        compare("beside a busy process")
    finally:
        busy.kill()


if __name__ == "__main__":
    main()
