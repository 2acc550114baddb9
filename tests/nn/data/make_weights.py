#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the fixtures beside it: a small network of PyTorch as safetensors, its inputs and outputs, each layer that PyTorch has with
its inputs and outputs, and a file of all types in tests/io/data.

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

# Each layer by the name that it has in nn: the weights as NAME.0.*, rows as nn takes them as x.NAME, and outputs in double as
# y.NAME. rows(module, in double) returns the rows and the outputs.
torch.manual_seed(2)
steps = 3
lengths = torch.tensor([3, 1, 2, 3, 0])


class Residual(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return x + self.layer(x)


class L2Normalize(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.normalize(x, dim=1)


def plain(width):
    def rows(layer):
        x = torch.randn(5, width) * 2
        return x, layer(x.double())
    return rows


def masked(layer):
    x = torch.randn(5, 6) * 3
    mask = torch.rand(5, 6) < 0.6
    mask[:, 0] = True
    return torch.cat([x, mask.float()], 1), layer(x.double().masked_fill(~mask, -torch.inf))


def sequences(gru):  # the state before the first step, the steps, the length
    x = torch.randn(5, steps, 3)
    state = torch.randn(5, 4)
    y = state.double()
    for t in range(steps):
        after = gru(x[:, t : t + 1].double(), y[None])[1][0]
        y = torch.where((t < lengths)[:, None], after, y)
    return torch.cat([state, x.flatten(1), lengths[:, None].float()], 1), y


def attention(layer):  # the query, the steps, the length
    query = torch.randn(4, 1, 4)
    x = torch.randn(4, steps, 4)
    mask = torch.arange(steps)[None] >= lengths[:4, None]
    y = layer(query.double(), x.double(), x.double(), key_padding_mask=mask)[0][:, 0]
    return torch.cat([query.flatten(1), x.flatten(1), lengths[:4, None].float()], 1), y


def normalized(layer):
    for _ in range(20):
        layer(torch.randn(8, 6) * 2 + 1)
    return layer


nn = torch.nn
each = {
    "Dense": (nn.Linear(6, 4), plain(6)),
    "ReLU": (nn.ReLU(), plain(6)),
    "LeakyReLU": (nn.LeakyReLU(), plain(6)),
    "Sigmoid": (nn.Sigmoid(), plain(6)),
    "Tanh": (nn.Tanh(), plain(6)),
    "Softplus": (nn.Softplus(), plain(6)),
    "SiLU": (nn.SiLU(), plain(6)),
    "GELU": (nn.GELU(), plain(6)),
    "GELUTanh": (nn.GELU(approximate="tanh"), plain(6)),
    "PReLU": (nn.PReLU(6), plain(6)),
    "BatchNorm": (normalized(nn.BatchNorm1d(6)), plain(6)),
    "LayerNorm": (nn.LayerNorm(6), plain(6)),
    "Dropout": (nn.Dropout(0.5), plain(6)),
    "L2Normalize": (L2Normalize(), plain(6)),
    "MaskedSoftmax": (nn.Softmax(1), masked),
    "GRU": (nn.GRU(3, 4, batch_first=True), sequences),
    "TargetAttention": (nn.MultiheadAttention(4, 2, batch_first=True), attention),
    "Residual": (Residual(nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6))), plain(6)),
    "Sequential": (nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)), plain(6)),
}
tensors = {}
for name, (layer, rows) in each.items():
    for parameter in layer.parameters():  # also those that start as 0 or 1
        parameter.data.add_(torch.randn_like(parameter) * 0.3)
    layer.eval()
    tensors |= {f"{name}.0.{key}": tensor.detach().clone() for key, tensor in layer.state_dict().items()}
    with torch.no_grad():
        x, y = rows(layer.double())
    tensors |= {f"x.{name}": x.contiguous(), f"y.{name}": y.contiguous()}
save_file(tensors, HERE / "torch_layers.safetensors")
