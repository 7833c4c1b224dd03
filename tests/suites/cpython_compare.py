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
    """Opened and accepted over xtcp, by all processes of the run."""
    opened = accepted = 0
    if os.path.exists(path):
        with open(path, errors="replace") as f:
            for m in re.finditer(r"^connections +(\d+) opened, (\d+) accepted", f.read(), re.M):
                opened += int(m[1])
                accepted += int(m[2])
    return opened, accepted


def told(results):
    if results is None:
        return "no result"
    n = collections.Counter(results.values())
    return "%d run, %d failed, %d skipped" % (len(results), n["failed"], n["skipped"])


def main(where, module):
    base = os.path.join(where, module)
    kernel, xtcp = read(base + ".kernel.xml"), read(base + ".xtcp.xml")
    opened, accepted = connections(base + ".xtcp.xtcp")
    print("%s: kernel %s; xtcp %s; %d connections opened and %d accepted over xtcp" %
          (module, told(kernel), told(xtcp), opened, accepted), flush=True)
    if kernel is None or xtcp is None:
        return 1
    others = [(n, kernel.get(n, "not run"), xtcp.get(n, "not run")) for n in sorted(kernel.keys() | xtcp.keys())
              if kernel.get(n) != xtcp.get(n)]
    for name, k, x in others:
        print("  %s: kernel %s, xtcp %s" % (name, k, x), flush=True)
    return 1 if others else 0


sys.exit(main(*sys.argv[1:]))
