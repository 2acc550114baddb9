#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The pages of docs/algorithms/ and docs/interview/ agree with the code and with bench/results/, and the checks of the site find planted
faults. This needs no MkDocs; `./dev docs` builds the whole site."""

import json
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "docs/site"))
import hooks  # noqa: E402

problems = []


def refused(name, says, function, *arguments):
    try:
        function(*arguments)
    except hooks.Broken as error:
        if says not in str(error):
            problems.append(f'{name}: the message lacks "{says}": {error}')
    else:
        problems.append(f"{name}: not found")


# The pages themselves: sections, figures, headers, tests, summaries.
hooks.FILES.update({str(path.relative_to(hooks.ROOT / "include")): "x.html" for path in (hooks.ROOT / "include").rglob("*.hpp")})
pages = sorted((hooks.DOCS / "algorithms").glob("*.md"))
interview = sorted((hooks.DOCS / "interview").glob("*.md"))
for path in pages + interview:
    try:
        hooks.with_figures(hooks.with_sections(path.read_text()), f"{path.parent.name}/x.html")
        hooks.front(path, "title")
    except hooks.Broken as error:
        problems.append(f"{path.name}: {error}")
for path in pages:
    for name, folder in (("header", "include"), ("tests", ".")):
        if not (hooks.ROOT / folder / hooks.front(path, name)).exists():
            problems.append(f"{path.name}: {name} does not exist")
for name, may_include, holds in hooks.folders():
    try:
        hooks.folder_page(name, may_include, holds, hooks.algorithm_pages())
    except hooks.Broken as error:
        problems.append(str(error))

# Planted faults.
refused("a missing section", "has 0 lines", hooks.with_sections, '--8<-- "README.md" "no such line"')
refused("an ambiguous section", "lines with", hooks.section, "README.md", "funnel")
refused("an unknown figure", 'no figure "EASE lambda 3"', hooks.with_figures, '{{ value("quality", "EASE lambda 3") }}', "x.html")
refused("an unknown area", "no file *_nothing.json", hooks.value, "nothing", "x")
refused("unknown curves", 'no curves "nothing"', hooks.with_figures, '{{ curves("quality", "nothing") }}', "x.html")
refused("a line of unknown figures", "not two figures", hooks.with_figures, '{{ lines("quality", {"EASE": "EASE nothing {}"}, [1, 2], "x", "y") }}', "x.html")
refused("a flat chart", "flat", hooks.chart, "all equal", {"a": ([1, 2], [3.0, 3.0])}, "x", "y", False)
refused("a malformed call", "{{", hooks.with_figures, "{{ figure(1) }}", "x.html")
refused("a link without a page", "has no page", hooks.rewritten, "[x](dev)", "README.md", "index.md")
with tempfile.TemporaryDirectory() as folder:
    site = pathlib.Path(folder)
    results = hooks.RESULTS
    hooks.RESULTS = site
    kept = json.loads(sorted(results.glob("*_quality.json"))[-1].read_text())
    kept["kept"]["sources"] = {path: "0" for path in kept["kept"]["sources"]}
    (site / "2026-01-01_quality.json").write_text(json.dumps(kept))
    refused("a stale figure", "is stale", hooks.value, "quality", "EASE lambda 200")
    hooks.RESULTS = results

    def page(body, style=""):
        (site / "index.html").write_text(f"<html><body id='a' {body}</body></html>".replace("'", '"'))
        (site / "style.css").write_text(style)
        hooks.check_site(site)

    page("<a href='#a'>here</a><a href='https://example.org'>a link may leave</a>")
    refused("a broken link", "broken link", page, "<a href='gone.html'>x</a>")
    refused("a broken anchor", "no anchor", page, "<a href='index.html#gone'>x</a>")
    for tag in ("<img src='https://example.org/a.png'>", "<script src='//example.org/a.js'></script>", "<link href='https://example.org/a.css'>"):
        refused(f"remote: {tag}", "loads", page, tag)
    refused("a remote font", "loads", page, "", "@font-face { src: url(https://example.org/a.woff) }")

print("\n".join(problems) or f"docs: {len(pages)} algorithm pages ok, planted faults are found")
sys.exit(bool(problems))
