#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels beside Eigen, and beside what the machine can do: runs bench/kernels/kernels_bench.cpp and draws its roofline."""

import json
import subprocess
import sys

from common import ROOT, draw, fallen, options_of

FLOP = {"dot": 2, "dot, fixed": 2, "squared_l2": 3, "cosine": 6, "score_rows, dot": 2, "score_rows, L2": 3, "score_rows, dot, by id": 2, "gemv": 2}  # per element


def roofline(pyplot, results):
    """GFLOP/s over FLOP per byte. A kernel cannot be above the roof of where its data lies, nor above the peak."""
    rows = results["rows"]
    peak, l1 = (next(row["ours"]["median"] for row in rows if row["name"].startswith(name)) for name in ("peak, multiply", "peak, reading"))
    here = results["environment"]
    roofs = [("L1 cache", l1), ("memory, in order", here["memory_stream_gb_s"]), ("memory, 256 bytes at random", here["memory_scattered_gb_s"])]
    figure, axis = pyplot.subplots(figsize=(9, 6), layout="constrained")
    xs = [0.25, 2.5]
    axis.hlines(peak, *xs, color="black", label=f"multiply and add: {peak:.0f} GFLOP/s")
    for (name, speed), style in zip(roofs, ("--", "-.", ":")):
        ridge = min(max(peak / speed, xs[0]), xs[1])
        axis.plot([xs[0], ridge], [xs[0] * speed, ridge * speed], style, color="black", label=f"{name}: {speed:.1f} GB/s")
    for peer, marker, color in (("funnel", "o", "#2f81c7"), ("Eigen", "x", "#c75d2f"), ("Scalar", "_", "gray")):
        points = []
        for row in rows:
            name, _, size = row["name"].removesuffix(", memory").rpartition(" ")
            if name not in FLOP or row["peer"].split(",")[0] not in ("Eigen", "Scalar") or (peer != "funnel" and row["peer"].split(",")[0] != peer):
                continue
            intensity = FLOP[name] / 4
            rate = row["rate"] * (intensity if row["rate_unit"] == "GB/s" else 1)
            points.append((intensity, rate if peer == "funnel" else rate / row["ratio"]["median"], size))
        # Larger vectors stand further to the right, so that points of one kernel do not hide each other.
        sizes = sorted({size for _, _, size in points}, key=int)
        axis.scatter([x * 1.03 ** (sizes.index(size) - 2) for x, _, size in points], [y for _, y, _ in points], marker=marker, color=color, label=peer, zorder=3)
    axis.set(xscale="log", yscale="log", xlabel="FLOP per byte", ylabel="GFLOP/s of one core", title="dot, score_rows, gemv: 0.5; L2: 0.75; cosine: 1.5. Sizes grow from left to right.")
    axis.set_xticks([0.25, 0.5, 0.75, 1.5], ["0.25", "0.5", "0.75", "1.5"])
    axis.set_xticks([], minor=True)
    figure.legend(loc="outside lower center", ncols=4, fontsize="small")
    return figure


def main():
    options = options_of("kernels", "Eigen")
    if options.check:
        return 0  # Eigen is compiled into the program
    baseline = json.loads(options.baseline.read_text())["rows"] if options.baseline else []
    file = ROOT / "build/bench/peers_kernels.json"
    code = subprocess.run([ROOT / "build/release/bench/bench_kernels_kernels", file], check=False).returncode
    if code not in (0, 1):
        raise RuntimeError(f"bench_kernels_kernels ended with exit code {code}")
    results = json.loads(file.read_text())
    draw(file.with_suffix(".svg"), lambda pyplot: roofline(pyplot, results))
    slower = fallen(results["rows"], baseline)
    for line in slower:
        print(f"SLOWER: {line}")
    return 1 if slower else code


if __name__ == "__main__":
    sys.exit(main())
