# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What every bench/peers/AREA.py needs: paired measurements of one of our programs and of libraries that run in Python.

    comparison = Comparison("ann", program="bench_peers_ann_side", peers=["hnswlib", "faiss-cpu"])
    import hnswlib                                     # after the line above, which names all peers that are missing
    path = comparison.save("items", items)             # an array, as a .npy file that our program reads
    comparison.call("build", items=path)               # {"wall": seconds, "cpu": seconds}
    pairs = comparison.paired(ours, theirs)            # two functions that return seconds
    comparison.add("build", "hnswlib", pairs, unit="s")
    sys.exit(comparison.finish())

Output is a table, build/bench/peers_AREA.json in the form of bench/support/report.hpp, and build/bench/peers_AREA.svg.
Both sides compute in one thread; who needs more tells both sides and writes it in the setup.

    AREA.py                    measures; the exit code is 1 if results differ
    AREA.py --baseline FILE    also if a ratio has fallen since FILE, an older peers_AREA.json, by more than the noise
    AREA.py --check            measures nothing: only says whether all peers are installed
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = {"faiss-cpu": "faiss", "scikit-learn": "sklearn", "scikit-surprise": "surprise", "xgboost-cpu": "xgboost"}  # where the module is not named as the package
UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9, "bytes": 1.0}

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # a peer gets the fastest code for this machine
    os.environ.pop(name, None)


class Samples(typing.NamedTuple):
    median: float
    q25: float
    q75: float
    count: int


class Pairs(typing.NamedTuple):
    ours: Samples  # seconds
    theirs: Samples  # seconds
    ratio: Samples  # theirs / ours of each round: above 1, ours is faster


def summary(values):
    """Median and quartiles, as summary_of in bench/support/timing.hpp defines them."""
    values = sorted(values)
    n = len(values)
    return Samples(values[n // 2], values[(n - 1) // 4], values[n - 1 - (n - 1) // 4], n)


def pairs_of(ours, theirs):
    """Pairs from the seconds of each round."""
    return Pairs(summary(ours), summary(theirs), summary(b / a for a, b in zip(ours, theirs)))


def seconds(work, clock=time.process_time):
    """What work() takes: CPU time of all threads, which other programs hardly change, or elapsed time by time.perf_counter."""
    begin = clock()
    work()
    return clock() - begin


def fallen(rows, baseline):
    """What is slower beside its peer than in the baseline, as lines of text. A fall counts if the quartiles of the ratio do not
    overlap and the medians differ by more than 5 %."""
    now = {(row["name"], row["peer"]): row["ratio"] for row in rows}
    if len(now) != len(rows):
        raise ValueError("two rows have the same name and peer")
    lines = []
    for row in baseline:
        key, before = (row["name"], row["peer"]), row["ratio"]
        if before is None:
            continue
        after = now.get(key)
        if after is None:
            lines.append(f"{key[0]} ({key[1]}): the baseline has a ratio, this run has none")
        elif after["q75"] < before["q25"] and after["median"] < 0.95 * before["median"]:
            lines.append(f"{key[0]} ({key[1]}): the ratio fell from {before['median']:.3g} to {after['median']:.3g}")
    return lines


def options_of(area, peers):
    """The arguments of bench/peers/AREA.py."""
    parser = argparse.ArgumentParser(description=f"{area}: funnel beside {peers}")
    parser.add_argument("--baseline", type=pathlib.Path, help=f"an older peers_{area}.json; lower ratios are errors")
    parser.add_argument("--check", action="store_true", help="only check that all peers are installed")
    return parser.parse_args()


class Side:
    """Our program, which answers commands (bench/support/side.hpp)."""

    def __init__(self, command, timeout):
        self.timeout = timeout
        self.name = pathlib.Path(command[-1]).name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace")

    def read(self, what):
        """The next line of its output, a JSON object."""
        is_late = threading.Event()
        timer = threading.Timer(self.timeout, lambda: (is_late.set(), self.process.kill()))
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            why = f"did not answer within {self.timeout:g} s" if is_late.is_set() else f"ended with exit code {self.process.wait()}"
            raise RuntimeError(f"{self.name}: {what}: the program {why}")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise RuntimeError(f"{self.name}: {what}: the answer is no JSON object: {line.strip()[:200]!r}")
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {what}: {answer['error']}")
        return answer

    def call(self, command, arguments):
        fields = [command, *(f"{key}={value}" for key, value in arguments.items())]
        if any(c in field for field in fields for c in "\t\r\n"):
            raise ValueError(f"{self.name}: {command}: an argument contains a tab or a line break")
        try:
            self.process.stdin.write("\t".join(fields) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # reading says with which exit code the program ended
        return self.read(command)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Comparison:
    """The rows, curves and environment of one area. `program` is a target of the release preset, or a command as a list."""

    def __init__(self, area, program, peers, folder=ROOT / "build/bench", timeout=600.0):
        options = options_of(area, ", ".join(peers))
        self.area, self.folder = area, pathlib.Path(folder)
        self.rows, self.curves, self.head = [], {}, None
        self.peers = {}
        missing = []
        for peer in peers:
            try:
                importlib.import_module(MODULES.get(peer, peer.replace("-", "_")))
                self.peers[peer] = importlib.metadata.version(peer)
            except Exception as error:  # whatever hinders a peer from being used
                missing.append(f"{peer} ({error})")
        if missing:
            sys.exit(f"{area}: peers are missing: {'; '.join(missing)}. Nothing was measured.")
        if options.check:
            sys.exit(0)
        self.baseline = json.loads(options.baseline.read_text())["rows"] if options.baseline else []
        command = program if isinstance(program, list) else [str(ROOT / "build/release/bench" / program)]
        self.side = Side(command, timeout)
        self.environment = self.side.read("start")
        here = self.environment.get
        print(f"{area}, {here('date')}, commit {here('commit')}\n{here('processor')}, {here('threads')} threads; {here('compiler')}; {here('flags')}; {here('backend')}")
        print(f"memory, one thread: {here('memory_stream_gb_s', 0):.1f} GB/s in order, {here('memory_scattered_gb_s', 0):.1f} GB/s in random blocks of 256 bytes; {here('memory_working_set_mib', 0):g} MiB miss the caches")
        print("peers: " + ", ".join(f"{peer} {version}" for peer, version in self.peers.items()), flush=True)

    def describe(self, peer, build):
        """Reports how a peer was built, for example its SIMD level."""
        self.peers[peer] += f" ({build})"
        print(f"{peer}: {build}", flush=True)

    def save(self, name, array):
        """Writes build/bench/data/NAME.npy. Returns its path."""
        import numpy

        path = self.folder / "data" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        numpy.save(path, numpy.ascontiguousarray(array))
        return str(path)

    def call(self, command, **arguments):
        """The numbers that our program answers."""
        return self.side.call(command, arguments)

    def paired(self, ours, theirs, rounds=7, warm_up=True):
        """Runs two functions that return seconds in turns; the first one is another in each round."""
        if warm_up:
            ours(), theirs()
        pairs = []
        for i in range(rounds):
            if i % 2 == 0:
                us = ours()
                pairs.append((us, theirs()))
            else:
                them = theirs()
                pairs.append((ours(), them))
        return pairs_of(*zip(*pairs))

    def add(self, name, peer, pairs, unit="s", per=1.0, target=None, differing=None, of=None, setup=""):
        """A row of the table. Seconds are given in `unit`, such as "us/user", and divided by `per`, the users of a call.
        `target` is the ratio to reach; `differing` of `of` results are not those of the peer (None: they cannot be compared)."""
        factor = UNITS[unit.split("/")[0]] / per
        ours, theirs = (Samples(*(factor * value for value in times[:3]), times.count) for times in pairs[:2])
        if unit != self.head:
            self.head = unit
            print(f"\n{'name':<34} {'peer':<12} {'ours ' + unit:>13} {'theirs':>11} {'ratio':>7} {'quartiles':>15} {'target':>7} {'differ':>14}  setup")
        number = lambda value: "-" if value is None else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 1000 else f"{value:.4g}"
        quartiles = f"{number(pairs.ratio.q25)}-{number(pairs.ratio.q75)}"
        differ = "-" if differing is None else f"{differing} of {of}" if of is not None else str(differing)
        missed = "  missed" if target is not None and pairs.ratio.median < target else ""
        print(f"{name:<34} {peer:<12} {number(ours.median):>13} {number(theirs.median):>11} {number(pairs.ratio.median):>7} {quartiles:>15} {number(target):>7} {differ:>14}  {setup}{missed}", flush=True)
        summaries = {key: {"median": s.median, "q25": s.q25, "q75": s.q75, "samples": s.count} for key, s in (("ours", ours), ("theirs", theirs), ("ratio", pairs.ratio))}
        self.rows.append({"name": name, "peer": peer, "unit": unit, **summaries, "target": target, "differing": differing, "of": of, "setup": setup})

    def curve(self, name, who, xs, ys, x_label="", y_label=""):
        """A line of the plot `name`. Call once for each of `who`: "funnel" and its peers."""
        plot = self.curves.setdefault(name, {"x": x_label, "y": y_label, "lines": {}})
        plot["lines"][who] = [list(map(float, xs)), list(map(float, ys))]

    def finish(self):
        """Writes the files. Returns the exit code."""
        self.side.close()
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"peers_{self.area}.json"
        rows = ",\n  ".join(map(json.dumps, self.rows))
        file.write_text(f'{{"environment": {json.dumps(self.environment)},\n "peers": {json.dumps(self.peers)},\n "curves": {json.dumps(self.curves)},\n "rows": [\n  {rows}\n ]}}\n')
        print(f"wrote {file}")
        draw(file.with_suffix(".svg"), self.draw)
        problems = [f"RESULTS DIFFER: {row['name']} ({row['peer']}): {row['differing']} of {row['of']}" for row in self.rows if row["differing"] or row["of"] == 0]
        problems += [f"SLOWER: {line}" for line in fallen(self.rows, self.baseline)]
        print("\n".join(problems), end="\n" if problems else "")
        return 1 if problems or not self.rows else 0

    def draw(self, pyplot):
        heights = [0.35 * len(self.rows) + 1.2, *[4.0] * len(self.curves)]
        figure, axes = pyplot.subplots(len(heights), squeeze=False, figsize=(8, sum(heights)), height_ratios=heights, layout="constrained")
        ratios = [row["ratio"] for row in self.rows]
        at = [ratio["median"] for ratio in ratios]
        spread = [[ratio["median"] - ratio["q25"] for ratio in ratios], [ratio["q75"] - ratio["median"] for ratio in ratios]]
        bars = axes[0][0]
        bars.barh(range(len(at)), at, xerr=spread, color="#2f81c7")
        bars.set_yticks(range(len(at)), [f"{row['name']} ({row['peer']})" for row in self.rows])
        bars.axvline(1.0, color="black")
        bars.invert_yaxis()
        bars.set_xscale("log")
        bars.set_xlabel("time of the peer / time of funnel, with quartiles; right of 1, funnel is faster")
        for axis, (name, plot) in zip(axes[1:, 0], self.curves.items()):
            for who, (xs, ys) in plot["lines"].items():
                axis.plot(xs, ys, marker="o", label=who, linewidth=2.5 if who.startswith("funnel") else 1.5)
            axis.set(title=name, xlabel=plot["x"], ylabel=plot["y"], yscale="log")
            axis.legend()
        return figure


def draw(path, plot):
    """Writes the figure that plot(pyplot) returns, if matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "funnel"
    import matplotlib.pyplot

    plot(matplotlib.pyplot).savefig(path, metadata={"Date": None})
    print(f"wrote {path}")
