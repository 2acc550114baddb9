#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""bench/peers/common.py reports what it must not hide: results that differ, a slow-down, a missing peer, and a program that
dies, hangs or answers garbage. Our side and the peer are scripts here; nothing is compiled or downloaded."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Our side. It says that "work" took as many seconds as it is told.
SIDE = """
import sys, time
print('{"processor": "fake", "threads": 2, "memory_stream_gb_s": 1, "memory_scattered_gb_s": 0.5}', flush=True)
for line in sys.stdin:
    name, *fields = line.rstrip("\\n").split("\\t")
    if name == "work":
        print('{"wall": %s}' % dict(field.split("=") for field in fields)["seconds"])
    elif name == "refuse":
        print('{"error": "there is no command refuse"}')
    elif name == "garbage":
        print("Segmentation fault")
    elif name == "list":
        print("[1]")
    elif name == "die":
        sys.exit(3)
    elif name == "hang":
        time.sleep(60)
    sys.stdout.flush()
"""

AREA = """
import json, sys
sys.path.insert(0, {peers!r})
from common import Comparison
command, seconds, peer, differing, of = json.loads(sys.argv.pop(1))
comparison = Comparison("fake", program=[sys.executable, {side!r}], peers=["fakepeer", peer], folder={folder!r}, timeout=10.0)
times = iter([1.0, 1.1, 0.9] * 10)
ours = lambda: comparison.call(command, seconds=seconds)["wall"] * next(times)
theirs = lambda: 1.0 * next(times)
comparison.add("row", "fakepeer", comparison.paired(ours, theirs), unit="us/user", per=10.0, target=2.0, differing=differing, of=of)
comparison.curve("speed", "funnel", [1, 2], [3, 4], "recall", "queries")
sys.exit(comparison.finish())
"""


class Peers(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        (self.folder / "fakepeer.py").write_text("")
        (self.folder / "fakepeer-1.0.dist-info").mkdir()
        (self.folder / "fakepeer-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: fakepeer\nVersion: 1.0\n")
        (self.folder / "side.py").write_text(SIDE)
        fill = {"peers": str(ROOT / "bench/peers"), "side": str(self.folder / "side.py"), "folder": str(self.folder)}
        (self.folder / "area.py").write_text(AREA.format(**fill))

    def measure(self, *arguments, command="work", seconds=0.5, peer="fakepeer", differing=0, of=7):
        """The exit code and all output."""
        planted = json.dumps([command, seconds, peer, differing, of])
        done = subprocess.run([sys.executable, str(self.folder / "area.py"), planted, *map(str, arguments)], env=os.environ | {"PYTHONPATH": str(self.folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        return done.returncode, done.stdout

    def results(self):
        return json.loads((self.folder / "peers_fake.json").read_text())

    def test_a_measurement(self):
        code, said = self.measure()
        self.assertEqual(code, 0, said)
        self.assertIn("fakepeer 1.0", said)
        self.assertIn("0 of 7", said)
        row = self.results()["rows"][0]
        self.assertAlmostEqual(row["ours"]["median"], 0.5e6 / 10.0, delta=0.1e5)
        self.assertAlmostEqual(row["ratio"]["median"], 2.0, delta=0.5)
        self.assertEqual((row["ratio"]["samples"], row["differing"], row["of"]), (7, 0, 7))
        self.assertEqual(self.results()["environment"]["processor"], "fake")
        self.assertEqual(self.results()["curves"]["speed"]["lines"]["funnel"], [[1.0, 2.0], [3.0, 4.0]])
        self.assertTrue((self.folder / "peers_fake.svg").exists() or "no plot: matplotlib is not installed" in said, said)

    def test_a_wrong_result(self):
        code, said = self.measure(differing=3)
        self.assertEqual(code, 1)
        self.assertIn("RESULTS DIFFER: row (fakepeer): 3 of 7", said)
        self.assertTrue((self.folder / "peers_fake.json").exists())

    def test_results_that_were_not_compared(self):
        code, said = self.measure(of=0)
        self.assertEqual(code, 1)
        self.assertIn("RESULTS DIFFER: row (fakepeer): 0 of 0", said)

    def test_a_missed_target(self):
        code, said = self.measure(seconds=0.9)
        self.assertEqual(code, 0, said)
        self.assertIn("missed", said)

    def test_a_slow_down(self):
        self.measure()
        old = self.folder / "old.json"
        (self.folder / "peers_fake.json").rename(old)
        code, said = self.measure("--baseline", old)
        self.assertEqual(code, 0, said)
        code, said = self.measure("--baseline", old, seconds=0.8)
        self.assertEqual(code, 1)
        self.assertIn("SLOWER: row (fakepeer): the ratio fell from 2", said)

    def test_a_row_that_is_no_longer_measured(self):
        self.measure()
        old = self.folder / "old.json"
        old.write_text((self.folder / "peers_fake.json").read_text().replace('"row"', '"another"'))
        code, said = self.measure("--baseline", old)
        self.assertEqual(code, 1)
        self.assertIn("SLOWER: another (fakepeer): the baseline has a ratio, this run has none", said)

    def test_a_missing_peer(self):
        for arguments in ([], ["--check"]):
            code, said = self.measure(*arguments, peer="no-such-peer")
            self.assertEqual(code, 1)
            self.assertIn("peers are missing: no-such-peer", said)
            self.assertFalse((self.folder / "peers_fake.json").exists())
        (self.folder / "broken_peer.py").write_text("raise OSError('libx.so: cannot open')")
        self.assertIn("broken-peer (libx.so: cannot open)", self.measure(peer="broken-peer")[1])

    def test_only_checking(self):
        code, said = self.measure("--check", command="die")
        self.assertEqual((code, said), (0, ""))

    def test_a_program_that_fails(self):
        for command, message in (
            ("refuse", "refuse: there is no command refuse"),
            ("garbage", "garbage: the answer is no JSON object: 'Segmentation fault'"),
            ("list", "list: the answer is no JSON object: '[1]'"),
            ("die", "die: the program ended with exit code 3"),
            ("hang", "hang: the program did not answer within 10 s"),
        ):
            with self.subTest(command):
                code, said = self.measure(command=command)
                self.assertEqual(code, 1)
                self.assertIn(f"side.py: {message}", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
