# SPDX-License-Identifier: BSD-2-Clause
#
# A unit test of the core is one line: check_PROGRAMS += tests/test_MODULE (its source is
# tests/test_MODULE.c).  One that needs more says so:
#   tests_test_X_SOURCES = tests/test_X.c tests/harness.c
#   tests_test_X_LDADD = libengine.la libstack.la libnetif.la $(MNL_LIBS) $(CMOCKA_LIBS)

AM_DEFAULT_SOURCE_EXT = .c
LDADD = libstack.la $(CMOCKA_LIBS) -lm

# A test that hangs is a test that fails.
TEST_EXTENSIONS = .sh
LOG_COMPILER = timeout
AM_LOG_FLAGS = -k 10 240
SH_LOG_COMPILER = timeout
AM_SH_LOG_FLAGS = -k 10 240 bash
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	NM='$(NM)' CC='$(CC)' SANITIZERS='$(SANITIZERS)' \
	export top_srcdir top_builddir NM CC SANITIZERS;

# ---- unit tests (run without root) ----

check_PROGRAMS += tests/test_siphash
check_PROGRAMS += tests/test_timer
check_PROGRAMS += tests/test_ring
check_PROGRAMS += tests/test_ranges
check_PROGRAMS += tests/test_settings
check_PROGRAMS += tests/test_wire
check_PROGRAMS += tests/test_wire_tcp
check_PROGRAMS += tests/test_route

# ---- scripts ----

SCRIPT_TESTS =

# ---- fuzz targets: tests/fuzz_X.c with tests/corpus/X/ ----
# Each defines LLVMFuzzerTestOneInput(); without --enable-fuzz, tests/fuzz_main.c replays the
# corpora in make check.

FUZZ_TARGETS =

check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(check_PROGRAMS) $(SCRIPT_TESTS)
EXTRA_DIST += $(SCRIPT_TESTS)
