# SPDX-License-Identifier: BSD-2-Clause

EXTRA_DIST += bench/bench.sh bench/client.py bench/relay.sh bench/flood.sh

.PHONY: bench bench-relay
bench: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/bench.sh

bench-relay: all tests/relay tests/xfer
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/relay.sh $(ROWS)

# A server under floods, make bench-flood ROWS="syn paced" for some of the rows.
.PHONY: bench-flood
bench-flood: all bench/flood bench/flows
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/flood.sh $(ROWS)

EXTRA_PROGRAMS += bench/flood bench/flows
bench_flood_LDADD = libstack.la
bench_flows_LDADD =
CLEANFILES += bench/flood bench/flows

# The table of congestion control over simulated links, on a virtual clock.
.PHONY: bench-sim
bench-sim: tests/sim_table
	$(builddir)/tests/sim_table

# make bench/bench_conntab: what choosing a port costs.
EXTRA_PROGRAMS += bench/bench_conntab
bench_bench_conntab_SOURCES = bench/bench_conntab.c
bench_bench_conntab_LDADD = libstack.la
CLEANFILES += bench/bench_conntab
