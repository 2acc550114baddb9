#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Neural networks beside PyTorch and ONNX Runtime, which have the same weights. One thread.

Inference: a tower 136-256-64 of a two-tower model (Dense, ReLU, Dense, L2Normalize), for calls of 1 to 1,000 rows. Ours is a
frozen tower. PyTorch runs the modules under inference_mode. ONNX Runtime runs a graph of Gemm, Relu, Gemm, LpNormalization, which it
may fuse. `differing` counts outputs that are further than 1e-5 from those of the peer. With weights of bfloat16, it counts those that
are further away than 2^-7, with bytes than 2^-6, and the setup says how large the largest difference is.

Training: one step of a two-tower model (both towers 136-256-64, in-batch softmax with log Q, backward, Adam), on the same batch each
time. `differing` counts losses of the first 20 steps, and numbers of the users' vectors after them, that are further than 1e-3 apart:
a step of Adam does not depend on the size of a gradient, so rounding is not lost in it.

Bags: the mean of 20 rows per bag, as torch's embedding_bag computes it. A step is forward, backward with sparse gradients, and Adagrad;
`differing` counts outputs that are further than 1e-5 apart, after 5 steps.

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
    for rows, goals in targets.items():
        compare_inference("tower, int8", "tower, int8", module, peers, rows, dict(zip(peers, goals)), allowed=2**-6)


# ---- Training ------------------------------------------------------------------------------------------------------------


def compare_training(batch, target):
    """A step of both towers on a batch of pairs."""
    torch.manual_seed(2)
    towers = [torch.nn.Sequential(torch.nn.Linear(136, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64)) for _ in range(2)]
    random = numpy.random.default_rng(5)
    rows = [random.standard_normal((batch, 136)).astype("f4") for _ in range(2)]
    log_q = numpy.log(random.dirichlet(numpy.ones(batch))).astype("f4")[None, :]
    names = ("user", "item")
    arguments = {f"{name}_parameters": comparison.save(f"neural_{name}", flat_parameters(tower)) for name, tower in zip(names, towers)}
    arguments |= {f"{name}s": comparison.save(f"neural_{name}s", x) for name, x in zip(names, rows)}
    comparison.call("training", **arguments, log_q=comparison.save("neural_log_q", log_q))
    inputs, correction = [torch.from_numpy(x) for x in rows], torch.from_numpy(log_q)
    targets = torch.arange(batch)
    optimisers = [torch.optim.Adam(tower.parameters()) for tower in towers]

    def step():
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        u, v = (torch.nn.functional.normalize(tower(x), dim=1) for tower, x in zip(towers, inputs))
        loss = torch.nn.functional.cross_entropy(u @ v.T / 0.07 - correction, targets)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        return loss.item()

    losses = [(comparison.call("train", times=1)["loss"], step()) for _ in range(20)]
    comparison.call("write_vectors", path=RESULT)
    with torch.inference_mode():
        theirs = torch.nn.functional.normalize(towers[0](inputs[0]), dim=1).numpy()
    far = numpy.abs(numpy.load(RESULT) - theirs) > 1e-3
    differing = int(far.sum()) + sum(abs(a - b) > 1e-3 for a, b in losses)
    times = max(1, 1000 // batch)
    pairs = comparison.paired(
        lambda: comparison.call("train", times=times)["cpu"],
        lambda: common.seconds(lambda: [step() for _ in range(times)]),
        rounds=15,
    )
    comparison.add(f"training step, {batch} pairs", "torch", pairs, "ms", per=times, target=target, differing=differing, of=far.size + 20, setup=f"loss {losses[0][0]:.3f}, then {losses[-1][0]:.3f}")


def compare_bags(rows, width, target):
    """1,024 bags of 20 random rows."""
    random = numpy.random.default_rng(rows)
    table = random.standard_normal((rows, width), dtype="f4")
    ids = random.integers(0, rows, (1024, 20), dtype="u4")
    gradient = random.standard_normal((1024, width), dtype="f4")
    comparison.call("bags", table=comparison.save("neural_table", table), ids=comparison.save("neural_ids", ids), gradient=comparison.save("neural_gradient", gradient))
    bag = torch.nn.EmbeddingBag.from_pretrained(torch.from_numpy(table), freeze=False, mode="mean", sparse=True)
    indices = torch.from_numpy(ids.astype("i8"))
    dy = torch.from_numpy(gradient)
    adagrad = torch.optim.Adagrad(bag.parameters(), lr=0.05)

    def differing():
        comparison.call("write_bags", path=RESULT)
        with torch.inference_mode():
            return int((numpy.abs(numpy.load(RESULT) - bag(indices).numpy()) > 1e-5).sum())

    def forward():
        with torch.inference_mode():
            for _ in range(10):
                bag(indices)

    def steps(times):
        for _ in range(times):
            adagrad.zero_grad(set_to_none=True)
            bag(indices).backward(dy)
            adagrad.step()

    setup = "1,024 bags of 20"
    name = f"{rows:,} x {width}"
    wrong = differing()
    pairs = comparison.paired(lambda: comparison.call("pool", times=10)["cpu"], lambda: common.seconds(forward), rounds=15)
    comparison.add(f"bags of {name}", "torch", pairs, "us", per=10, target=target, differing=wrong, of=1024 * width, setup=setup)
    comparison.call("step_bags", times=5)
    steps(5)
    wrong = differing()
    pairs = comparison.paired(lambda: comparison.call("step_bags", times=3)["cpu"], lambda: common.seconds(lambda: steps(3)), rounds=9)
    comparison.add(f"bags of {name}, step", "torch", pairs, "us", per=3, differing=wrong, of=1024 * width, setup=setup)


compare_tower()
compare_training(256, target=2.0)
compare_training(1024, target=2.0)
compare_bags(100_000, 16, target=1.5)
compare_bags(1_000_000, 64, target=1.5)
sys.exit(comparison.finish())
