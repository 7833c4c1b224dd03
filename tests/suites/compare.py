# SPDX-License-Identifier: BSD-2-Clause
"""How each test of a suite ended over the kernel and over xtcp: compare.py DIR NAME; see suite.sh."""
import collections
import os
import re
import sys
import xml.etree.ElementTree as ET


def read_junit(path):
    """name -> ok, failed or skipped."""
    results = {}
    for case in ET.parse(path).iter("testcase"):
        how = "ok"
        if case.find("failure") is not None or case.find("error") is not None:
            how = "failed"
        elif case.find("skipped") is not None or case.get("result") == "skipped":
            how = "skipped"
        # A subtest that fails is a case of its own, of the same name.
        if results.get(case.get("name")) != "failed":
            results[case.get("name")] = how
    return results


def read_lines(path):
    with open(path, errors="replace") as f:
        return {name: how for how, name in (line.rstrip("\n").split("\t", 1) for line in f)}


def read(base):
    """What a suite that died before it wrote anything leaves counts as nothing: then None."""
    if os.path.exists(base + ".xml"):
        return read_junit(base + ".xml")
    if os.path.exists(base + ".results"):
        return read_lines(base + ".results")
    return None


def connections(path):
    """Opened over xtcp, by all processes of the run that lived to say so."""
    if not os.path.exists(path):
        return 0
    with open(path, errors="replace") as f:
        return sum(int(n) for n in re.findall(r"^connections +(\d+) opened", f.read(), re.M))


def kernels(path):
    """Opened by the kernel's TCP meanwhile."""
    if not os.path.exists(path):
        return 0
    with open(path) as f:
        return sum(int(line) for line in f)


def row(name, kernel, xtcp, *counts):
    k, x = collections.Counter(kernel.values()), collections.Counter(xtcp.values())
    cells = (len(xtcp), k["failed"], x["failed"], k["skipped"], x["skipped"]) + counts
    return "| %s | %s |" % (name, " | ".join("%d" % c for c in cells))


def main(where, name):
    base = os.path.join(where, name)
    kernel, xtcp = read(base + ".kernel"), read(base + ".xtcp")
    for how, results in ("kernel", kernel), ("xtcp", xtcp):
        if results is None:
            print("%s: no result over %s, see %s.%s.log" % (name, how, base, how), flush=True)
    if kernel is None or xtcp is None:
        return 1
    print(row(name, kernel, xtcp, connections(base + ".xtcp.stats"), kernels(base + ".xtcp.kernels"),
              kernels(base + ".kernel.kernels")), flush=True)
    others = [(n, kernel.get(n, "not run"), xtcp.get(n, "not run")) for n in sorted(kernel.keys() | xtcp.keys())
              if kernel.get(n) != xtcp.get(n)]
    for test, k, x in others:
        print("  %s: kernel %s, xtcp %s" % (test, k, x), flush=True)
    same = sorted(n for n in kernel if kernel[n] == xtcp.get(n) == "failed")
    if same:
        print("  failed over both: %s" % " ".join(same), flush=True)
    return 1 if others else 0


sys.exit(main(*sys.argv[1:]))
