#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Neural networks beside PyTorch and ONNX Runtime, which have the same weights. One thread.

Inference: a tower 136-256-64 of a two-tower model (Dense, ReLU, Dense, L2Normalize), for calls of 1 to 1,000 rows. Ours is a
frozen tower. PyTorch runs the modules under inference_mode. ONNX Runtime runs a graph of Gemm, Relu, Gemm, LpNormalization, which it
may fuse. `differing` counts outputs that are further than 1e-5 from those of the peer. With weights of bfloat16, it counts those that
are further away than 2^-7, and the setup says how large the largest difference is.

All times are CPU time, as medians of rounds in which both sides take turns.
"""

import sys

import common

comparison = common.Comparison("neural", program="bench_peers_neural_side", peers=["numpy", "onnx", "onnxruntime", "torch"])

import numpy
import onnx
import onnxruntime
import torch

torch.set_num_threads(1)
comparison.describe("torch", f"{torch.backends.cpu.get_cpu_capability()}, oneDNN {torch.backends.mkldnn.is_available()}")

RESULT = str(comparison.folder / "data/neural_result.npy")


# ---- Networks of both sides ----------------------------------------------------------------------------------------------


def flat_parameters(module):
    """All numbers of a module, layer by layer, weights before biases: the order of our towers."""
    return numpy.concatenate([p.detach().numpy().ravel() for p in module.parameters()])[None, :]


class OnnxSession:
    """A chain of torch's Linear and ReLU layers, then L2 normalization if `normalize`, in ONNX Runtime."""

    def __init__(self, module, normalize):
        nodes, values, last = [], [], "x"
        for i, layer in enumerate(module):
            if isinstance(layer, torch.nn.Linear):
                names = [f"w{i}", f"b{i}"]
                values += [onnx.numpy_helper.from_array(p.detach().numpy(), name) for p, name in zip((layer.weight, layer.bias), names)]
                nodes.append(onnx.helper.make_node("Gemm", [last, *names], [f"y{i}"], transB=1))
            elif isinstance(layer, torch.nn.ReLU):
                nodes.append(onnx.helper.make_node("Relu", [last], [f"y{i}"]))
            else:
                raise ValueError(f"{layer} has no node here")
            last = f"y{i}"
        if normalize:
            nodes.append(onnx.helper.make_node("LpNormalization", [last], ["unit"], p=2, axis=1))
            last = "unit"
        matrix = lambda name, width: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", width])
        widths = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
        graph = onnx.helper.make_graph(nodes, "network", [matrix("x", widths[0].in_features)], [matrix(last, widths[-1].out_features)], values)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, rows):
        return self.session.run(None, {"x": rows})[0]


class TorchModule:
    def __init__(self, module, normalize):
        self.module, self.normalize = module.eval(), normalize

    def __call__(self, rows):
        with torch.inference_mode():
            y = self.module(torch.from_numpy(rows))
            return (torch.nn.functional.normalize(y, dim=1) if self.normalize else y).numpy()


# ---- Inference -----------------------------------------------------------------------------------------------------------


def compare_inference(name, type, module, peers, rows, targets, allowed):
    """Rows of the table for one network: one per peer, for a call of `rows` rows."""
    inputs = next(module.children()).in_features
    x = numpy.random.default_rng(rows).standard_normal((rows, inputs)).astype("f4")
    comparison.call("network", type=type, parameters=comparison.save("neural_parameters", flat_parameters(module)))
    comparison.call("rows", path=comparison.save("neural_rows", x))
    times = max(3, 2000 // rows)  # calls of a round: about 10 ms
    for peer, infer in peers.items():

        def theirs():
            def calls():
                for _ in range(times):
                    infer(x)

            return common.seconds(calls) / times

        pairs = comparison.paired(lambda: comparison.call("infer", times=4 * times)["cpu"], theirs, rounds=15)
        comparison.call("write", path=RESULT)
        difference = numpy.abs(numpy.load(RESULT) - infer(x))
        differing = int((~(difference <= allowed)).sum())
        setup = f"largest difference {difference.max():.1e}"
        comparison.add(f"{name}, {rows} rows" if rows > 1 else f"{name}, 1 row", peer, pairs, "us", target=targets.get(peer), differing=differing, of=difference.size, setup=setup)


def compare_tower():
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(136, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64))
    peers = {"onnxruntime": OnnxSession(module, normalize=True), "torch": TorchModule(module, normalize=True)}
    targets = {1: (8.0, 25.0), 8: (3.0, None), 64: (2.0, None), 1000: (1.3, 3.0)}
    for rows, goals in targets.items():
        compare_inference("tower", "tower", module, peers, rows, dict(zip(peers, goals)), allowed=1e-5)
    for rows, goals in targets.items():
        compare_inference("tower, bf16", "tower, bf16", module, peers, rows, dict(zip(peers, goals)), allowed=2**-7)


compare_tower()
sys.exit(comparison.finish())
