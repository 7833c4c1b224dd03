# SPDX-License-Identifier: BSD-2-Clause

EXTRA_DIST += bench/run bench/lib.sh bench/rows.sh bench/report.py bench/relay.sh bench/flood.sh

# xtcp beside the kernel, make bench ROWS="bulk-up ports" for some rows, BENCH_FLAGS="--pairs 3" for bench/run's options.
BENCHES = bench/bulk bench/latency bench/conns bench/million tests/relay
.PHONY: bench bench-relay bench-programs
bench-programs: $(BENCHES)
bench: all bench-programs
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/run $(BENCH_FLAGS) $(ROWS)

bench-relay: all tests/relay tests/xfer
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/relay.sh $(ROWS)

# A server under floods, make bench-flood ROWS="syn paced" for some of the rows.
.PHONY: bench-flood
bench-flood: all bench/flood bench/flows
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/flood.sh $(ROWS)

EXTRA_PROGRAMS += bench/flood bench/flows bench/bulk bench/latency bench/conns bench/million
bench_flood_SOURCES = bench/flood.c bench/util.c bench/util.h
bench_flood_LDADD = libstack.la
bench_flows_SOURCES = bench/flows.c bench/util.c bench/util.h
bench_flows_LDADD =
bench_bulk_SOURCES = bench/bulk.c bench/util.c bench/util.h
bench_bulk_LDADD =
bench_latency_SOURCES = bench/latency.c bench/util.c bench/util.h
bench_latency_LDADD =
bench_conns_SOURCES = bench/conns.c bench/util.c bench/util.h
bench_conns_LDADD =
CLEANFILES += bench/flood bench/flows bench/bulk bench/latency bench/conns bench/million

# On the library's own heap.
bench_million_SOURCES = bench/million.c shim/alloc.c shim/wrap.c
bench_million_CPPFLAGS = $(AM_CPPFLAGS)
bench_million_CFLAGS = $(LIB_CFLAGS)
bench_million_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
bench_million_LDADD = libstack.la

# The table of congestion control over simulated links, on a virtual clock.
.PHONY: bench-sim
bench-sim: tests/sim_table
	$(builddir)/tests/sim_table

# make bench/bench_conntab: what choosing a port costs.
EXTRA_PROGRAMS += bench/bench_conntab
bench_bench_conntab_SOURCES = bench/bench_conntab.c
bench_bench_conntab_LDADD = libstack.la
CLEANFILES += bench/bench_conntab
