#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the fixtures beside it: a small network of PyTorch as safetensors, its inputs and outputs, and a file of all types in tests/io/data.

    pip install torch safetensors numpy && python3 tests/nn/data/make_weights.py
"""
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
torch.manual_seed(1)
layers = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.ReLU(), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.2), torch.nn.Linear(6, 3))
for _ in range(20):  # statistics that are not those of the start
    layers(torch.randn(8, 5) * 2 + 1)
layers[2].weight.data.uniform_(0.5, 1.5)
layers[2].bias.data.normal_()
layers.eval()
x = torch.randn(4, 5)
state = {name: tensor.detach().clone() for name, tensor in layers.state_dict().items()}
save_file(state, HERE / "torch.safetensors", metadata={"format": "pt"})
with torch.no_grad():
    y = layers.double()(x.double())
save_file({"x": x, "y": y}, HERE / "torch_io.safetensors")
layers.float()
for kind, name in ((torch.float16, "f16"), (torch.bfloat16, "bf16")):
    half = {key: tensor.to(kind) if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    save_file(half, HERE / f"torch_{name}.safetensors")

types = [torch.bool, torch.uint8, torch.int8, torch.float8_e5m2, torch.float8_e4m3fn, torch.int16, torch.uint16, torch.float16,
         torch.bfloat16, torch.int32, torch.uint32, torch.float32, torch.float64, torch.int64, torch.uint64]
tensors = {f"t{i}": torch.tensor([[0, 1], [1, 0]]).to(kind) for i, kind in enumerate(types)}
tensors["scalar"] = torch.tensor(2.5)
tensors["empty"] = torch.zeros(0, 3)
tensors["größe \"1\"\n"] = torch.tensor([-1.5, 2.0])
save_file(tensors, HERE.parents[1] / "io/data/types.safetensors", metadata={"made by": "the Python package"})
