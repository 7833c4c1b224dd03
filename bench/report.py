# SPDX-License-Identifier: BSD-2-Clause
"""What bench/run has measured: the table, the results as JSON, a chart as SVG, and what has moved since others.

    report.py DIRECTORY JSON SVG PAIRS SECONDS [OLDER-JSON]

DIRECTORY has what the runs left: lines (as declared), chosen (rows), values (row, pair, who, numbers), remarks and load.
"""
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from xml.sax.saxutils import escape

FIELDS = ("row", "id", "what", "unit", "better", "how", "bar", "aim")
MOVED = 0.05        # a change of the judged figure that is told, if the spreads are apart, too


def table_of(path):
    with open(path) as f:
        return [line.rstrip("\n").split("\t") for line in f]


def score(how, xtcp, kernel):
    """What is judged; None where there's nothing to divide by."""
    if how == "value":
        return xtcp
    if how == "added":
        return xtcp - kernel
    return xtcp / kernel if kernel else None


def verdict(line):
    is_met = (lambda goal: line["score"] >= goal) if line["better"] == "higher" else (lambda goal: line["score"] <= goal)
    return "aim" if is_met(line["aim"]) else "pass" if is_met(line["bar"]) else "missed"


def collect(directory):
    """One dict a line: what was declared, and its figures if there are any."""
    chosen = {row for row, in table_of(f"{directory}/chosen")}
    values = table_of(f"{directory}/values")
    remarks = table_of(f"{directory}/remarks")
    lines, nth = [], {}
    for declared in table_of(f"{directory}/lines"):
        line = dict(zip(FIELDS, declared))
        row = line.pop("row")
        column = nth[row] = nth.get(row, -1) + 1
        if row not in chosen:
            continue
        line["bar"], line["aim"] = float(line["bar"]), float(line["aim"])
        line["remarks"] = [f"{kind}: {text}" for name, kind, text in remarks if name == row]
        runs = {}
        for name, pair, who, numbers in values:
            if name == row:
                runs.setdefault(pair, {})[who] = float(numbers.split()[column])
        sides = {who for p in runs.values() for who in p}
        pairs = [p for p in runs.values() if len(p) == len(sides)]
        scores = [s for s in (score(line["how"], p["xtcp"], p.get("kernel")) for p in pairs) if s is not None]
        line["verdict"] = "none"
        if scores:
            line["pairs"] = pairs
            line["xtcp"] = statistics.median(p["xtcp"] for p in pairs)
            line["kernel"] = statistics.median(p["kernel"] for p in pairs) if "kernel" in sides else None
            line["score"] = statistics.median(scores)
            line["spread"] = [min(scores), max(scores)]
            line["verdict"] = verdict(line)
        lines.append(line)
    return lines


def short(x):
    if x is None:
        return "-"
    return f"{x:.0f}" if abs(x) >= 1000 else f"{x:.1f}" if abs(x) >= 100 else f"{x:.2f}"


def print_table(lines):
    wide = max(len(line["id"]) for line in lines)
    print(f"{'':{wide}} {'xtcp':>10} {'kernel':>10} {'':7} {'judged':>8} {'spread':>15}  {'bar':>7} {'aim':>7}")
    for line in lines:
        if "score" in line:
            sign = ">=" if line["better"] == "higher" else "<="
            spread = "-".join(short(s) for s in line["spread"])
            print(f"{line['id']:{wide}} {short(line['xtcp']):>10} {short(line['kernel']):>10} {line['unit']:7}"
                  f" {short(line['score']):>8} {spread:>15} {sign}{short(line['bar']):>6} {short(line['aim']):>7}"
                  f"  {line['verdict']:6} {line['what']}")
        for remark in line["remarks"]:
            print(f"{line['id']:{wide}} {remark}")
    counts = {v: sum(line["verdict"] == v for line in lines) for v in ("aim", "pass", "missed", "none")}
    print(f"\n{counts['aim']} reach the aim, {counts['pass']} more the bar, {counts['missed']} miss it, "
          f"{counts['none']} without a figure; judged: the ratio xtcp/kernel, of x, bytes and % xtcp's own figure, "
          "of start what is added.\nThe kernel's side and the peer have cubic; medians of the pairs.")


def print_moves(lines, path):
    with open(path) as f:
        older = {line["id"]: line for line in json.load(f)["lines"] if "score" in line}
    moves, still = [], 0
    for line in lines:
        old = older.get(line["id"])
        if not old or "score" not in line:
            continue
        apart = line["spread"][0] > old["spread"][1] or line["spread"][1] < old["spread"][0]
        change = line["score"] / old["score"] - 1 if old["score"] else math.inf if line["score"] else 0
        if not apart or abs(change) < MOVED:
            still += 1
            continue
        is_better = (change > 0) == (line["better"] == "higher")
        moves.append(f"{line['id']:24} {short(old['score']):>8} -> {short(line['score']):>8} {change:+.0%}"
                     f"  {'better' if is_better else 'worse'}")
    print(f"\nmoved since {path}:" if moves else f"\nnothing has moved since {path}")
    for move in moves:
        print(move)
    print(f"{still} the same within their spread")


# ---- the chart: how far each line is from its bar, on a scale of powers of two ----

LEFT, WIDTH, HIGH, SPAN = 250, 560, 18, 4
COLOURS = {"aim": "#2a7", "pass": "#7b4", "missed": "#c43"}


def advantage(line, value):
    """Over 1: the bar is met."""
    value, bar = max(value, 1e-6), max(line["bar"], 1e-6)
    return value / bar if line["better"] == "higher" else bar / value


def at(ratio):
    return LEFT + WIDTH / 2 + max(-SPAN, min(SPAN, math.log2(ratio))) * WIDTH / 2 / SPAN


def svg_of(lines, title):
    lines = [line for line in lines if "score" in line]
    bottom = 50 + HIGH * len(lines)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 150}" height="{bottom + 30}" '
           'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="18" font-size="13">{escape(title)}</text>']
    for power in range(-SPAN, SPAN + 1):
        x = at(2.0 ** power)
        out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="40" y2="{bottom}" stroke="{"#333" if power == 0 else "#ddd"}"/>'
                   f'<text x="{x:.0f}" y="36" text-anchor="middle">{"bar" if power == 0 else f"{2.0 ** power:g}"}</text>')
    for i, line in enumerate(lines):
        y = 44 + i * HIGH
        a, b = sorted((at(1), at(advantage(line, line["score"]))))
        low, high = sorted(at(advantage(line, s)) for s in line["spread"])
        aim = at(advantage(line, line["aim"]))
        out += [f'<text x="{LEFT - 6}" y="{y + 11}" text-anchor="end">{escape(line["id"])}</text>',
                f'<rect x="{a:.1f}" y="{y}" width="{max(b - a, 1):.1f}" height="{HIGH - 5}" fill="{COLOURS[line["verdict"]]}">'
                f'<title>{escape(line["what"])}</title></rect>',
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 6}" y2="{y + 6}" stroke="#000"/>',
                f'<line x1="{aim:.1f}" x2="{aim:.1f}" y1="{y - 1}" y2="{y + HIGH - 4}" stroke="#06c" stroke-width="2"/>',
                f'<text x="{LEFT + WIDTH + 8}" y="{y + 11}">{short(line["score"])} (bar {short(line["bar"])})</text>']
    out.append(f'<text x="{LEFT}" y="{bottom + 20}">right of the bar is better; blue: the aim; black: the spread of the pairs</text></svg>')
    return "\n".join(out) + "\n"


def commit():
    tree = os.path.dirname(os.path.abspath(__file__))
    found = subprocess.run(["git", "-C", tree, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return found.stdout.strip() or None


def main():
    directory, json_path, svg_path, pairs, seconds = sys.argv[1:6]
    lines = collect(directory)
    results = {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit(),
        "kernel": platform.release(), "cpus": os.cpu_count(), "load": [load for load, in table_of(f"{directory}/load")],
        "pairs": int(pairs), "seconds": int(seconds), "lines": lines,
    }
    print_table(lines)
    if len(sys.argv) > 6:
        print_moves(lines, sys.argv[6])
    with open(json_path, "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")
    with open(svg_path, "w") as f:
        f.write(svg_of(lines, f"xtcp beside the kernel {results['kernel']}, {results['time']}, {results['commit']}"))
    print(f"\n{json_path}\n{svg_path}")


main()
