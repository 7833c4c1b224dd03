# SPDX-License-Identifier: BSD-2-Clause

EXTRA_DIST += bench/bench.sh bench/client.py

.PHONY: bench
bench: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/bench.sh
