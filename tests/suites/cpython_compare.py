# SPDX-License-Identifier: BSD-2-Clause
"""How each test of a module of CPython's ended over the kernel and over xtcp: cpython_compare.py DIR MODULE."""
import collections
import os
import re
import sys
import xml.etree.ElementTree as ET


def read(path):
    """name -> ok, failed or skipped.  What regrtest wrote before it died counts as nothing: then None."""
    if not os.path.exists(path):
        return None
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


def connections(path):
    """Opened over xtcp, by all processes of the run."""
    if not os.path.exists(path):
        return 0
    with open(path, errors="replace") as f:
        return sum(int(n) for n in re.findall(r"^connections +(\d+) opened", f.read(), re.M))


def row(module, kernel, xtcp, opened):
    k, x = collections.Counter(kernel.values()), collections.Counter(xtcp.values())
    return "| %s | %d | %d | %d | %d | %d | %d |" % (module, len(xtcp), k["failed"], x["failed"], k["skipped"], x["skipped"],
                                                     opened)


def main(where, module):
    base = os.path.join(where, module)
    kernel, xtcp = read(base + ".kernel.xml"), read(base + ".xtcp.xml")
    for how, results in ("kernel", kernel), ("xtcp", xtcp):
        if results is None:
            print("%s: no result over %s, see %s.%s.log" % (module, how, base, how), flush=True)
    if kernel is None or xtcp is None:
        return 1
    print(row(module, kernel, xtcp, connections(base + ".xtcp.xtcp")), flush=True)
    others = [(n, kernel.get(n, "not run"), xtcp.get(n, "not run")) for n in sorted(kernel.keys() | xtcp.keys())
              if kernel.get(n) != xtcp.get(n)]
    for name, k, x in others:
        print("  %s: kernel %s, xtcp %s" % (name, k, x), flush=True)
    return 1 if others else 0


sys.exit(main(*sys.argv[1:]))
