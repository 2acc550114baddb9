# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What MkDocs does not do by itself. Every function raises Broken, and the build fails, if something does not fit.

In a page:
    --8<-- "FILE" "LINE"            in a code block: the declaration in FILE whose first line contains LINE
    {{ value("AREA", "ROW") }}      a number of the newest bench/results/*_AREA.json; a third argument is a format. In an area
                                    peers_X, a row is "ROW, PEER", and its number is the ratio
    {{ plot("AREA", "ROW {}", [1, 2], "x", "y") }}    a plot of such numbers
    {{ lines("AREA", {"name": "ROW {}"}, [1, 2], "x", "y") }}    several of them, both axes logarithmic
    {{ curves("AREA", "NAME", 0.8) }}    the curves that a comparison drew under this name, from x = 0.8 on
    {{ source("AREA", "ROW") }}     the command, the date and the machine of that file, and the data of the row
    {{ header("funnel/cf/ease.hpp") }}                a link to the API page of a header; a second argument is its text

    hooks.py keep AREA "COMMAND"    keeps build/bench/AREA.json, as COMMAND wrote it, in bench/results/; AREA is also the name of
                                    a program: slates for bench/quality/slates_bench.cpp
"""

import ast
import datetime
import hashlib
import html
import json
import math
import os
import pathlib
import posixpath
import re
import shutil
import sys
import urllib.parse
import xml.etree.ElementTree

try:
    from mkdocs.exceptions import PluginError as Failure  # shown without a traceback
except ImportError:  # tests/build/check_docs.py runs without MkDocs
    Failure = Exception

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RESULTS = ROOT / "bench/results"
API = ROOT / "build/docs/html"
FILES = {}  # the API page of each header, once Doxygen has run
# Pages that are files outside docs/.
OUTSIDE = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md", "security.md": "SECURITY.md"}


class Broken(Failure):
    pass


# ---- code


def section(path, first):
    """The lines from the only one that contains `first` to the end of that declaration, and what stands before it."""
    lines = (ROOT / path).read_text().splitlines()
    starts = [i for i, line in enumerate(lines) if first in line]
    if len(starts) != 1:
        raise Broken(f'{path} has {len(starts)} lines with "{first}", not one')
    begin = starts[0]
    indent = len(lines[begin]) - len(lines[begin].lstrip())
    end = begin
    if not (lines[begin].rstrip().endswith(";") and "{" not in lines[begin]):
        ends = [i for i in range(begin + 1, len(lines)) if lines[i].startswith(" " * indent + "}")]
        if not ends:
            raise Broken(f'{path}: no end of "{first}"')
        end = ends[0]
    if lines[begin - 1].lstrip().startswith("template <"):
        begin -= 1
    return "\n".join(line[indent:] for line in lines[begin : end + 1])


def with_sections(text):
    return re.sub(r'^--8<-- "([^"]+)" "((?:[^"\\]|\\.)+)"$', lambda m: section(m[1], m[2].replace('\\"', '"')), text, flags=re.MULTILINE)


# ---- figures


def digest(path):
    """Of the code without comments and white space, so that formatting makes no figure stale."""
    text = re.sub(r"//[^\n]*", "", (ROOT / path).read_text())
    return hashlib.sha256("".join(text.split()).encode()).hexdigest()[:16]


def results(area):
    """The newest kept results of an area. This is the only place that knows the format of the file."""
    files = sorted(RESULTS.glob(f"????-??-??_{area}.json"))
    if not files:
        raise Broken(f"bench/results has no file *_{area}.json")
    data = json.loads(files[-1].read_text())
    kept = data["kept"]
    for path, known in kept["sources"].items():
        if not (ROOT / path).exists() or digest(path) != known:
            raise Broken(f"{files[-1].name} is stale: {path} has changed since. Run {kept['command']}, then keep the result (docs/site/hooks.py)")
    if area.startswith("peers_"):
        rows = {f"{row['name']}, {row['peer']}": (row["ratio"]["median"], row["setup"]) for row in data["rows"]}
    else:
        rows = {row["name"]: (row["ours"]["median"], row["setup"]) for row in data["rows"]}
    if len(rows) != len(data["rows"]):
        raise Broken(f"{files[-1].name}: two rows have one name")
    curves = data.get("curves", {})
    here = data["environment"]
    machine = f"{here['processor']}, {here['threads']} threads; {here['compiler']}, {here['flags']}; {here['backend']}"
    return rows, curves, machine, kept


def row_of(area, name):
    rows = results(area)[0]
    if name not in rows or rows[name][0] is None:
        raise Broken(f'there is no figure "{name}" in the results of {area}')
    return rows[name]


def value(area, name, form=".3f"):
    return format(row_of(area, name)[0], form)


def source(area, name):
    setup = row_of(area, name)[1]
    return measured(area, setup)


def measured(area, setup):
    _, _, machine, kept = results(area)
    note = f", {kept['note']}" if "note" in kept else ""
    return f'<p class="measured">Measured on {kept["date"]} with <code>{html.escape(kept["command"])}</code>. Data: {html.escape(setup)}. Machine: {html.escape(machine + note)}.</p>'


def plot(area, pattern, steps, x, y):
    """A line through one point per step. The steps are evenly spaced."""
    values = [float(value(area, pattern.format(step), ".6g")) for step in steps]
    low, high = min(values), max(values)
    if high == low:
        raise Broken(f'a plot of "{pattern}" would be flat')
    at = [(72 + 320 * i / (len(steps) - 1), 180 - 140 * (v - low) / (high - low)) for i, v in enumerate(values)]
    said = f"{y} for {x} = " + ", ".join(f"{step}: {v:.3g}" for step, v in zip(steps, values))
    out = [f'<svg class="plot" viewBox="0 0 430 240" role="img" aria-label="{html.escape(said)}" font-family="sans-serif" font-size="14" fill="currentColor">']
    out.append('<path d="M40 190H420M40 190V22" stroke="currentColor" fill="none" opacity=".5"/>')
    out.append(f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in at)}" fill="none" stroke="#2f81c7" stroke-width="2.5"/>')
    for (a, b), step, v in zip(at, steps, values):
        above = b - 10 if b > 45 else b + 22
        out.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="#2f81c7"/><text x="{a:.1f}" y="{above:.1f}" text-anchor="middle">{v:#.3g}</text><text x="{a:.1f}" y="208" text-anchor="middle">{step}</text>')
    out.append(f'<text x="230" y="232" text-anchor="middle">{html.escape(x)}</text><text x="20" y="14">{html.escape(y)}</text></svg>')
    return "".join(out)


COLOURS = ("#2f81c7", "#d9822b", "#3c9a5f", "#b0529e", "#c2484d", "#8a7a1e", "#6a6fd0", "#3f9aa5", "#a2694a", "#7d7d7d")


def chart(said, series, x, y, is_log):
    """Lines through points, {name: ([x, ...], [y, ...])}, beside a legend. The y axis is logarithmic, the x axis if is_log."""
    scale = math.log10 if is_log else float
    xs = [scale(v) for points in series.values() for v in points[0]]
    ys = [math.log10(v) for points in series.values() for v in points[1]]
    if xs and not is_log:
        xs.append(math.ceil(20 * max(xs) - 1e-9) / 20)  # the axis ends at a tick
    if not xs or max(xs) == min(xs) or max(ys) == min(ys):
        raise Broken(f'a chart of "{said}" would have no points, or be flat')
    across = lambda v: 62 + 388 * (scale(v) - min(xs)) / (max(xs) - min(xs))
    down = lambda v: 270 - 236 * (math.log10(v) - min(ys)) / (max(ys) - min(ys))
    ticks = lambda low, high: [m * 10.0**e for e in range(math.floor(low) - 1, math.ceil(high) + 1) for m in (1, 3) if low <= math.log10(m * 10.0**e) <= high]
    if is_log:
        x_ticks = ticks(min(xs), max(xs))
    else:
        x_ticks = [i / 20 for i in range(math.ceil(20 * min(xs) - 1e-9), math.floor(20 * max(xs) + 1e-9) + 1)]
    out = [f'<svg class="plot wide" viewBox="0 0 640 330" role="img" aria-label="{html.escape(said)}" font-family="sans-serif" font-size="13" fill="currentColor">']
    for v in x_ticks:
        out.append(f'<path d="M{across(v):.1f} 280V34" stroke="currentColor" opacity=".15"/><text x="{across(v):.1f}" y="298" text-anchor="middle">{number(v)}</text>')
    for v in ticks(min(ys), max(ys)):
        out.append(f'<path d="M52 {down(v):.1f}H450" stroke="currentColor" opacity=".15"/><text x="48" y="{down(v) + 4:.1f}" text-anchor="end">{number(v)}</text>')
    has_peers = any(name.startswith("funnel ") for name in series)
    for i, (name, (at, values)) in enumerate(series.items()):
        is_dashed = not name.startswith("funnel ") if has_peers else i % 2
        colour, dashes = COLOURS[i % len(COLOURS)], ' stroke-dasharray="6 3"' if is_dashed else ""
        points = " ".join(f"{across(a):.1f},{down(b):.1f}" for a, b in zip(at, values))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        out += [f'<circle cx="{across(a):.1f}" cy="{down(b):.1f}" r="3" fill="{colour}"/>' for a, b in zip(at, values)]
        out.append(f'<path d="M462 {44 + 22 * i}h24" stroke="{colour}" stroke-width="2"{dashes}/><text x="490" y="{48 + 22 * i}">{html.escape(name)}</text>')
    out.append(f'<text x="256" y="322" text-anchor="middle">{html.escape(x)}</text><text x="8" y="18">{html.escape(y)}</text></svg>')
    return "".join(out)


def number(v):
    """As the label of a tick: 0.95, 30, 3k, 1M."""
    return f"{v / 1e6:g}M" if v >= 1e6 else f"{v / 1e3:g}k" if v >= 1e3 else f"{v:g}"


def lines(area, patterns, steps, x, y):
    rows = results(area)[0]
    series = {}
    for name, pattern in patterns.items():
        known = [step for step in steps if pattern.format(step) in rows]  # an index may end earlier than others
        if len(known) < 2:
            raise Broken(f'there are not two figures "{pattern}" in the results of {area}')
        series[name] = (known, [row_of(area, pattern.format(step))[0] for step in known])
    return chart(f"{y} by {x}: {', '.join(patterns)}", series, x, y, True)


def curves(area, name, least=-math.inf):
    known = results(area)[1]
    if name not in known:
        raise Broken(f'there are no curves "{name}" in the results of {area}')
    plot = known[name]
    series = {}
    for who, (xs, ys) in plot["lines"].items():
        kept = [(a, b) for a, b in zip(xs, ys) if a >= least]
        if kept:
            series[who] = tuple(zip(*kept))
    return chart(f"{name}: {plot['y']} by {plot['x']}", series, plot["x"], plot["y"], False) + measured(area, name)


def with_figures(text, page_url):
    functions = {"value": value, "source": source, "plot": plot, "lines": lines, "curves": curves, "header": lambda path, text="": api_link(path, text or path, page_url)}

    def call(match):
        try:
            arguments = ast.literal_eval(f"({match[2]},)")
        except (SyntaxError, ValueError) as error:
            raise Broken(f"{match[0]}: {error}") from error
        return functions[match[1]](*arguments)

    text = re.sub(r"\{\{ (value|source|plot|lines|curves|header)\((.*?)\) \}\}", call, text)
    if "{{" in re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL):
        raise Broken("a {{ is left over")
    return text


def keep(area, command):
    if area.startswith("peers_"):
        file = f"bench/peers/{area.removeprefix('peers_')}.py"
    else:
        programs = [line.split()[0] for line in (ROOT / "bench/benches.txt").read_text().splitlines() if line and line[0] != "#"]
        named = [program for program in programs if program.endswith(f"/{area}_bench.cpp")]
        file = f"bench/{(named or [program for program in programs if program.startswith(f'{area}/')])[0]}"
    data = json.loads((ROOT / f"build/bench/{area}.json").read_text())
    day = datetime.date.today().isoformat()
    data["kept"] = {"date": day, "command": command, "sources": {file: digest(file)}}
    rows = ",\n  ".join(json.dumps(row) for row in data.pop("rows"))
    RESULTS.mkdir(exist_ok=True)
    head = ",\n ".join(f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in data.items())
    (RESULTS / f"{day}_{area}.json").write_text(f'{{{head},\n "rows": [\n  {rows}\n ]}}\n')


# ---- folders


def folders():
    """(name, folders that it may include, what it holds) of each folder that exists, from the table in architecture.md."""
    rows = re.findall(r"^\| `(\w+)` \| ([a-z ]*?) *\| (.*) \|$", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    known = [row for row in rows if (ROOT / "include/funnel" / row[0]).is_dir()]
    there = {path.name for path in (ROOT / "include/funnel").iterdir() if path.is_dir()}
    if there != {row[0] for row in known}:
        raise Broken(f"the table of folders in docs/architecture.md lacks {there - {row[0] for row in known}}")
    return known


def summary(header):
    """The first sentence of the comment at the top, or about the name that the header is called after, or about its first."""
    found = []
    detail = False
    block = []
    for line in (ROOT / "include" / header).read_text().splitlines():
        if re.match(r"namespace (\w+::)?detail \{", line):
            detail = True
        elif re.match(r"\}  // namespace (\w+::)?detail", line):
            detail = False
        if line.startswith("///"):
            block.append(line[3:].strip())
            continue
        if block and line.strip() and not re.match(r"template|\s|requires|#|\[\[nodiscard\]\]$", line):
            name = re.search(r"(?:class|struct|concept|enum class|using|#define)\s+(\w+)|(\w+)\s*[(={;]", line)
            name = (name[1] or name[2]) if name else ""
            stem = pathlib.Path(header).stem.replace("_", "")
            found.append((detail, name.lower().replace("_", "") not in (stem, f"basic{stem}"), len(found), block))
            block = []
        elif not line.strip():
            block = []
    code = (ROOT / "include" / header).read_text().split("#pragma once\n\n")[1]
    top = re.match(r"(?:///?(?: .*)?\n)+", code)  # a comment about the whole header
    top = top or (None if found else re.search(r"^(?:// .*\n)+", code, re.MULTILINE))
    if top:
        found = [(False, False, 0, [line.lstrip("/").strip() for line in top[0].splitlines()])]
    if not found:
        raise Broken(f"{header}: no comment says what it is for")
    block = min(found)[3]
    text = " ".join(block[: block.index("")] if "" in block else block)
    return re.split(r"(?<=[.?]) (?=[A-Z(])", text)[0].strip().rstrip(":.") + "."


def folder_page(name, may_include, holds, algorithms):
    folder = ROOT / "include/funnel" / name
    namespace = "funnel" if name == "core" else f"funnel::{name}"
    text = [f"# {name}\n", f"{holds[0].upper() + holds[1:]}.\n", f"Names are in `{namespace}`."]
    text.append(f"Headers of this folder include only {', '.join(f'[{other}]({other}.md)' for other in [name, *may_include.split()])}.\n")
    taught = [f"[{title}](../{page})" for page, title, header in algorithms if header.startswith(f"funnel/{name}/")]
    if taught:
        text.append(f"Explained with examples and measurements: {', '.join(taught)}.\n")
    text += ["| header | about |", "|---|---|"]
    for path in sorted(folder.glob("*.hpp")):
        header = str(path.relative_to(ROOT / "include"))
        text.append('| {{ header("%s", "%s") }} | %s |' % (header, path.name, summary(header).replace("|", "\\|")))
    for sub, what in (("scalar", "plain loops, the specification"), ("simd", "xsimd"), ("cuda", "Thrust")):
        names = ", ".join(f"`{path.name}`" for path in sorted((folder / sub).glob("*.*")))
        if names:
            text.append(f"\n`{sub}/` ({what}): {names}.")
    tests = [line.split()[0] for line in (ROOT / "tests/tests.txt").read_text().splitlines() if line.startswith(f"{name}/")]
    text.append(f"\n{len(tests)} test files in `tests/{name}/`. Run them with `./dev test {name}_tests`.\n")
    return "\n".join(text)


def examples_page():
    text = ["# Examples\n", "Each is one file in `examples/`, numbered in the order to read them. CI compiles and runs all of them.\n"]
    for path in sorted((ROOT / "examples").glob("*.cpp")):
        code = path.read_text().split("\n", 1)[1]
        comment = re.match(r"(?://.*\n)+", code)[0]
        about = " ".join(line[2:].strip() for line in comment.split("//\n")[0].splitlines())
        text.append(f"## {path.stem}\n\n{about}\n\n```cpp\n{code[len(comment):]}```\n")
    return "\n".join(text)


def front(path, name):
    found = re.search(rf"^{name}: *(.*)$", path.read_text().split("---")[1], re.MULTILINE)
    if not found:
        raise Broken(f"{path.name}: the front matter lacks {name}")
    return found[1]


def algorithm_pages():
    return [(f"algorithms/{path.name}", front(path, "title"), front(path, "header")) for path in sorted((DOCS / "algorithms").glob("*.md"))]


def see_also(page, header):
    """Links to the other pages about headers of the same folder."""
    folder = posixpath.dirname(header) + "/"
    others = [f"[{title}]({posixpath.basename(path)})" for path, title, other in algorithm_pages() if other.startswith(folder) and path != page]
    return f"\n\nSee also: {', '.join(others)}.\n" if others else ""


# ---- links


def rewritten(text, source_path, page):
    """Links between files of the repository as links between pages."""

    def target(match):
        link = match[1]
        if re.match(r"[a-z]+:|#", link):
            return match[0]
        path, _, anchor = link.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source_path), path))
        outside = {file: name for name, file in OUTSIDE.items()}
        if path in outside:
            to = outside[path]
        elif path == "examples":
            to = "examples.md"
        elif path == "docs/decisions":
            to = "decisions/index.md"
        elif path.startswith("docs/"):
            to = path[5:]
        else:
            raise Broken(f"{source_path}: the site has no page for the link {link}")
        return f"]({posixpath.relpath(to, posixpath.dirname(page) or '.')}{'#' + anchor if anchor else ''})"

    parts = re.split(r"(^```.*?^```$|`[^`\n]+`)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if i % 2 else re.sub(r"\]\(([^)\s]+)\)", target, part) for i, part in enumerate(parts))


def api_pages():
    """The page of each header."""
    tags = xml.etree.ElementTree.parse(API / "funnel.tag").getroot()
    pages = {}
    for file in tags.iterfind("compound[@kind='file']"):
        name = file.findtext("filename")
        pages[f"{file.findtext('path')}{file.findtext('name')}".split("include/")[-1]] = name if name.endswith(".html") else f"{name}.html"
    return pages


def api_link(header, text, page_url):
    if header not in FILES:
        raise Broken(f"no API page for {header}")
    return f'<a href="{"../" * page_url.count("/")}api/{FILES[header]}"><code>{text}</code></a>'


def link_back(site):
    """Adds links to the guide to each API page of a header or of what a header declares."""
    about = {header: (page, title) for page, title, header in algorithm_pages()}
    known = {name for name, _, _ in folders()}
    for path in (site / "api").glob("*.html"):
        text = path.read_text()
        header = re.search(r"#include &lt;(?:<a[^>]*>)?(funnel/\w+/[\w/]+\.hpp)", text) if not path.name.endswith(("_8hpp.html", "_8hpp_source.html")) else None
        folder = re.match(r"funnel/(\w+)/", header[1]) if header else re.search(r'href="dir_\w+\.html">(\w+)</a></li>(?!.*dir_)', text)
        links = ['<a href="../index.html">funnel: guide</a>']
        if folder and folder[1] in known:
            links.append(f'<a href="../folders/{folder[1]}.html">folder {folder[1]}</a>')
        mine = {file: page for page, file in FILES.items()}.get(path.name.replace("_source", ""))
        for name in {header[1] if header else None, mine} & set(about):
            links.append(f'<a href="../{about[name][0][:-3]}.html">{about[name][1]}</a>')
        path.write_text(text.replace('<div class="contents">', f'<div class="contents"><p>{" &middot; ".join(links)}</p>', 1))


def check_site(site):
    """Every link of every page leads to a file and an anchor; nothing is loaded from elsewhere."""
    problems = []
    texts = {path: path.read_text(errors="replace") for path in sorted(site.rglob("*.html"))}
    anchors = {path: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for path, text in texts.items()}
    for path, text in texts.items():
        here = path.relative_to(site)
        for tag, link in set(re.findall(r'<(\w+)\b[^>]*?\s(?:href|src|data)="([^"]*)"', text)):
            link = html.unescape(link)
            if re.match(r"(https?:)?//", link):
                if tag != "a":
                    problems.append(f"{here} loads {link}")
                continue
            if re.match(r"(mailto|data|javascript):", link):
                continue
            file, _, anchor = link.partition("#")
            above = site if file.startswith("/") else path.parent  # 404.html does not know where it is shown
            to = above / urllib.parse.unquote(file.split("?")[0]).lstrip("/") if file else path
            to = pathlib.Path(os.path.normpath(to))
            to = to / "index.html" if to.is_dir() else to
            if not to.exists():
                problems.append(f"{here}: broken link {link}")
            elif here.parts[0] == to.relative_to(site).parts[0] == "api":
                pass  # Doxygen links to some anchors of members that it does not show
            elif anchor and to in anchors and urllib.parse.unquote(anchor) not in anchors[to]:
                problems.append(f"{here}: no anchor for {link}")
    for path in sorted([*site.rglob("*.css"), *site.rglob("*.js")]):
        text = path.read_text(errors="replace")
        problems += [f"{path.relative_to(site)} loads {link}" for link in re.findall(r"(?:url\(|@import\s)\s*[\"']?((?:https?:)?//[^\"')]+)", text)]
        problems += [f"{path.relative_to(site)} can load {link}" for link in re.findall(r"https?://unpkg[^\"'`]*|https?://(?:cdn|fonts)[^\"'`]*", text)]
    if problems:
        raise Broken("\n".join(problems[:50]))
    print(f"site: {len(texts)} pages, every link and anchor exists, nothing is loaded from elsewhere")


# ---- events of MkDocs


def on_config(config):
    pages = algorithm_pages()
    config["nav"] = [
        {"Home": "index.md"},
        {"Algorithms": [{title: page} for page, title, _ in pages]},
        {"Interview": [{front(path, "title"): f"interview/{path.name}"} for path in sorted((DOCS / "interview").glob("*.md"))]},
        {"Examples": "examples.md"},
        {"Folders": [{name: f"folders/{name}.md"} for name, _, _ in folders()]},
        {"Design": ["architecture.md", {"Decisions": ["decisions/index.md", *(f"decisions/{path.name}" for path in sorted((DOCS / "decisions").glob("0*.md")))]}]},
        {"Project": ["contributing.md", "changelog.md", "security.md"]},
    ]
    FILES.update(api_pages())
    return config


def on_files(files, config):
    from mkdocs.structure.files import File

    def add(name, content):
        files.append(File.generated(config, name, content=content))

    for name, path in OUTSIDE.items():
        add(name, (ROOT / path).read_text())
    add("examples.md", examples_page())
    add("style.css", pathlib.Path(__file__).with_name("style.css").read_text())
    decisions = [(path.name, path.read_text().splitlines()[0].lstrip("# ")) for path in sorted((DOCS / "decisions").glob("0*.md"))]
    add("decisions/index.md", "# Decisions\n\nA short note for each design choice that a newcomer might question.\n\n" + "\n".join(f"- [{title}]({name})" for name, title in decisions))
    for name, may_include, holds in folders():
        add(f"folders/{name}.md", folder_page(name, may_include, holds, algorithm_pages()))
    return files


def on_page_markdown(markdown, page, config, files):
    source_path = OUTSIDE.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    try:
        text = with_figures(with_sections(rewritten(markdown, source_path, page.file.src_uri)), page.file.dest_uri)
    except Broken as error:
        raise Broken(f"{source_path}: {error}") from None
    text = re.sub(r"^```cpp no-run$", "```cpp", text, flags=re.MULTILINE)  # a mark for tests/build/check_readme.py
    if page.file.src_uri.startswith("algorithms/"):
        meta = page.meta
        about = f'{{{{ header("{meta["header"]}") }}}} · tests: `{meta["tests"]}`'
        text = re.sub(r"^(# .*\n)", lambda m: m[1] + "\n" + with_figures(about, page.file.dest_uri) + "\n", text, count=1, flags=re.MULTILINE)
        text += see_also(page.file.src_uri, meta["header"])
    if page.file.src_uri in ("index.md", "architecture.md"):
        known = {name for name, _, _ in folders()}
        text = re.sub(r"^\| `(\w+)` \|", lambda m: f"| [`{m[1]}`](folders/{m[1]}.md) |" if m[1] in known else m[0], text, flags=re.MULTILINE)
    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation"]
        api = '\n<a href="api/index.html">API pages: every class, function and option</a>\n'
        if text.count("\n## Two commands") != 1:
            raise Broken("README.md: the link to the API pages stands before the section Two commands, which is missing")
        text = text.replace("\n## Two commands", f"{api}\n## Two commands")
    return text


def on_page_content(content, page, config, files):
    from latex2mathml.converter import convert

    def mathml(match):
        display = match[1] == "div"
        latex = html.unescape(match[2]).strip()[2:-2]
        return f'<{match[1]} class="arithmatex">{convert(latex, display="block" if display else "inline")}</{match[1]}>'

    return re.sub(r'<(div|span) class="arithmatex">(.*?)</\1>', mathml, content, flags=re.DOTALL)


def on_post_build(config):
    site = pathlib.Path(config["site_dir"])
    shutil.copytree(API, site / "api", dirs_exist_ok=True)
    link_back(site)
    for path in [*site.rglob("*.js"), *site.rglob("*.map")]:  # what old browsers and diagrams would load from elsewhere
        if path.suffix == ".map":
            path.unlink()
            continue
        text = path.read_text(errors="replace")
        path.write_text(re.sub(r"https://unpkg\.com/", "assets/absent/", text).replace("//# sourceMappingURL=", "// "))
    check_site(site)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "keep":
        sys.exit(__doc__)
    keep(*sys.argv[2:])
