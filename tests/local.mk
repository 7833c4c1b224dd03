# SPDX-License-Identifier: BSD-2-Clause
#
# A unit test of the core is one line: check_PROGRAMS += tests/test_MODULE (its source is
# tests/test_MODULE.c).  One that needs more says so:
#   tests_test_X_SOURCES = tests/test_X.c tests/harness.c
#   tests_test_X_LDADD = libengine.la libstack.la libnetif.la $(MNL_LIBS) $(CMOCKA_LIBS)

AM_DEFAULT_SOURCE_EXT = .c
LDADD = libstack.la $(CMOCKA_LIBS) -lm

# A test that hangs is a test that fails; one that a busy machine slows down doesn't.
TEST_EXTENSIONS = .sh
LOG_COMPILER = timeout
AM_LOG_FLAGS = -k 10 480
SH_LOG_COMPILER = timeout
AM_SH_LOG_FLAGS = -k 10 480 bash
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	NM='$(NM)' CC='$(CC)' SANITIZERS='$(SANITIZERS)' \
	TSAN_OPTIONS='report_signal_unsafe=0:die_after_fork=0'$${XTCP_TSAN_LOG:+:log_path=$$XTCP_TSAN_LOG} \
	export top_srcdir top_builddir NM CC SANITIZERS TSAN_OPTIONS;

# ---- unit tests (run without root) ----

check_PROGRAMS += tests/test_siphash
check_PROGRAMS += tests/test_timer
check_PROGRAMS += tests/test_ring
check_PROGRAMS += tests/test_ranges
check_PROGRAMS += tests/test_snmp
check_PROGRAMS += tests/test_settings
check_PROGRAMS += tests/test_htab
check_PROGRAMS += tests/test_portwalk
check_PROGRAMS += tests/test_conntab
check_PROGRAMS += tests/test_conntab_bind
check_PROGRAMS += tests/test_conntab_connect
# In a namespace of its own, beside the kernel.
check_PROGRAMS += tests/netns_ports
check_PROGRAMS += tests/test_wire
check_PROGRAMS += tests/test_wire_tcp
check_PROGRAMS += tests/test_route
check_PROGRAMS += tests/test_loopback

# Below TCP: with a fake in its place.
NET_FIXTURE = tests/fake_tcp.c tests/fake_tcp.h tests/net_fixture.c tests/net_fixture.h
check_PROGRAMS += tests/test_stack
tests_test_stack_SOURCES = tests/test_stack.c $(NET_FIXTURE)
check_PROGRAMS += tests/test_ip
tests_test_ip_SOURCES = tests/test_ip.c $(NET_FIXTURE)
check_PROGRAMS += tests/test_ip_opts
check_PROGRAMS += tests/test_neigh
tests_test_neigh_SOURCES = tests/test_neigh.c $(NET_FIXTURE)
check_PROGRAMS += tests/test_icmp
tests_test_icmp_SOURCES = tests/test_icmp.c $(NET_FIXTURE)
check_PROGRAMS += tests/test_frag
tests_test_frag_SOURCES = tests/test_frag.c $(NET_FIXTURE)

# Frames that arrive as the engine receives large ones, and two stacks on a simulated link.
PLACE = tests/place_input.c tests/place_input.h
SIM = tests/sim.c tests/sim.h $(PLACE)

check_PROGRAMS += tests/test_tcp_opt
tests_test_tcp_opt_SOURCES = tests/test_tcp_opt.c tests/tcp_opt_linux.def $(SIM)
check_PROGRAMS += tests/test_tcp_rate
tests_test_tcp_rate_SOURCES = tests/test_tcp_rate.c $(SIM)
check_PROGRAMS += tests/sim_table
tests_sim_table_SOURCES = tests/sim_table.c tests/cc_model.c tests/cc_model.h $(SIM)
check_PROGRAMS += tests/test_cc_bbr
tests_test_cc_bbr_SOURCES = tests/test_cc_bbr.c $(SIM)
check_PROGRAMS += tests/test_tcp_flood
tests_test_tcp_flood_SOURCES = tests/test_tcp_flood.c $(SIM)
check_PROGRAMS += tests/test_sim
tests_test_sim_SOURCES = tests/test_sim.c $(SIM) tests/fuzz_check.c tests/fuzz_check.h tests/fuzz_in.h

# A bad link between two interfaces: its rules, and the program that is in the path.
check_PROGRAMS += tests/test_link
tests_test_link_SOURCES = tests/test_link.c tests/link.c tests/link.h
EXTRA_PROGRAMS += tests/relay tests/xfer tests/optprobe tests/rawcalls tests/ringcalls tests/callprobe tests/mallocprobe tests/confined
check_SCRIPTS += tests/relay tests/xfer tests/optprobe tests/rawcalls tests/ringcalls tests/callprobe tests/mallocprobe tests/confined bench/flood bench/flows bench/bulk bench/latency bench/conns bench/million
CLEANFILES += tests/relay tests/xfer tests/optprobe tests/rawcalls tests/ringcalls tests/callprobe tests/mallocprobe tests/confined
tests_relay_SOURCES = tests/relay.c tests/link.c tests/link.h
tests_relay_LDADD =
tests_xfer_SOURCES = tests/xfer.c bench/util.c bench/util.h
tests_xfer_LDADD =
tests_optprobe_SOURCES = tests/optprobe.c
tests_optprobe_LDADD =
tests_confined_SOURCES = tests/confined.c
tests_confined_LDADD =
tests_rawcalls_SOURCES = tests/rawcalls.c
tests_rawcalls_LDADD =
tests_ringcalls_SOURCES = tests/ringcalls.c
tests_ringcalls_LDADD =
tests_callprobe_SOURCES = tests/callprobe.c tests/callprobe.h tests/callprobe_data.c tests/callprobe_file.c tests/callprobe_pointer.c \
	tests/callprobe_stream.c tests/callprobe_thread.c tests/callprobe_sleep.c tests/callprobe_sleep.h tests/callprobe_signal.c \
	tests/callprobe_handler.c
tests_callprobe_CFLAGS = $(AM_CFLAGS) -Wno-nonnull -Wno-stringop-overflow
tests_callprobe_LDADD =
tests_mallocprobe_SOURCES = tests/mallocprobe.c
tests_mallocprobe_LDADD =

# All calls at random from many threads; tests/stress-run runs it for as long as one likes.
EXTRA_PROGRAMS += tests/stress
check_SCRIPTS += tests/stress
CLEANFILES += tests/stress
tests_stress_SOURCES = tests/stress.c tests/stress.h tests/stress_calls.c tests/stress_life.c tests/stress_own.c \
	tests/stress_peer.c
tests_stress_LDADD =
EXTRA_DIST += tests/stress-run tests/tsan-run
# Many threads with a connection each.
EXTRA_PROGRAMS += tests/threads
check_SCRIPTS += tests/threads
CLEANFILES += tests/threads
tests_threads_SOURCES = tests/threads.c
tests_threads_LDADD =

# netif/: the filter without root; the others in namespaces of their own, as root.
check_PROGRAMS += tests/test_netif_filter tests/test_netif_pcap
check_PROGRAMS += tests/netns_afpacket tests/netns_guard tests/netns_host
tests_test_netif_filter_SOURCES = tests/test_netif_filter.c
tests_test_netif_filter_LDADD = libnetif.la $(CMOCKA_LIBS)
tests_test_netif_pcap_SOURCES = tests/test_netif_pcap.c tests/netns_net.c tests/netns_net.h
tests_test_netif_pcap_LDADD = libnetif.la $(CMOCKA_LIBS)
tests_netns_afpacket_SOURCES = tests/netns_afpacket.c tests/netns_net.c tests/netns_net.h
tests_netns_afpacket_LDADD = libnetif.la $(MNL_LIBS) $(CMOCKA_LIBS)
tests_netns_guard_SOURCES = tests/netns_guard.c tests/netns_net.c tests/netns_net.h
tests_netns_guard_LDADD = libnetif.la $(MNL_LIBS) $(CMOCKA_LIBS)
tests_netns_host_SOURCES = tests/netns_host.c tests/netns_net.c tests/netns_net.h
tests_netns_host_LDADD = libnetif.la $(MNL_LIBS) $(CMOCKA_LIBS)

# Two engines on a wire: threads, but no root and no interface.
ENGINE_LIBS = libengine.la libstack.la libnetif.la $(MNL_LIBS) $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/test_engine tests/test_engine_life tests/test_engine_bridge tests/test_engine_owing
tests_test_engine_SOURCES = tests/test_engine.c tests/engine_pair.c tests/engine_pair.h \
	tests/wire_netif.c tests/wire_netif.h
tests_test_engine_LDADD = $(ENGINE_LIBS)
tests_test_engine_owing_SOURCES = tests/test_engine_owing.c tests/engine_pair.c tests/engine_pair.h \
	tests/wire_netif.c tests/wire_netif.h
tests_test_engine_owing_LDADD = $(ENGINE_LIBS)
tests_test_engine_life_SOURCES = tests/test_engine_life.c tests/engine_pair.c tests/engine_pair.h \
	tests/wire_netif.c tests/wire_netif.h
tests_test_engine_life_LDADD = $(ENGINE_LIBS)
tests_test_engine_bridge_SOURCES = tests/test_engine_bridge.c tests/engine_pair.c tests/engine_pair.h \
	tests/wire_netif.c tests/wire_netif.h
tests_test_engine_bridge_LDADD = $(ENGINE_LIBS)
# On a veth pair in namespaces of its own, as root.
check_PROGRAMS += tests/netns_engine
tests_netns_engine_LDADD = $(ENGINE_LIBS)

# TCP, scripted: the test plays the peer.
HARNESS = tests/harness.c tests/harness.h tests/harness_text.c tests/harness_text.h $(PLACE)
check_PROGRAMS += tests/test_tcp_open
tests_test_tcp_open_SOURCES = tests/test_tcp_open.c $(HARNESS)
check_PROGRAMS += tests/test_cc_dctcp
tests_test_cc_dctcp_SOURCES = tests/test_cc_dctcp.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_ecn
tests_test_tcp_ecn_SOURCES = tests/test_tcp_ecn.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_fastopen
tests_test_tcp_fastopen_SOURCES = tests/test_tcp_fastopen.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_opt_effect
tests_test_tcp_opt_effect_SOURCES = tests/test_tcp_opt_effect.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_ports
tests_test_tcp_ports_SOURCES = tests/test_tcp_ports.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_valid
tests_test_tcp_valid_SOURCES = tests/test_tcp_valid.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_rcvbuf
tests_test_tcp_rcvbuf_SOURCES = tests/test_tcp_rcvbuf.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_wmem
tests_test_tcp_wmem_SOURCES = tests/test_tcp_wmem.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_lend
tests_test_tcp_lend_SOURCES = tests/test_tcp_lend.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_place
tests_test_tcp_place_SOURCES = tests/test_tcp_place.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_recv
tests_test_tcp_recv_SOURCES = tests/test_tcp_recv.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_send
tests_test_tcp_send_SOURCES = tests/test_tcp_send.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_loss
tests_test_tcp_loss_SOURCES = tests/test_tcp_loss.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_close
tests_test_tcp_close_SOURCES = tests/test_tcp_close.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_icmp
tests_test_tcp_icmp_SOURCES = tests/test_tcp_icmp.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_mtup
tests_test_tcp_mtup_SOURCES = tests/test_tcp_mtup.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_metrics
tests_test_tcp_metrics_SOURCES = tests/test_tcp_metrics.c $(HARNESS)

check_PROGRAMS += tests/test_tcp_refused
tests_test_tcp_refused_SOURCES = tests/test_tcp_refused.c $(HARNESS)
check_PROGRAMS += tests/test_txdev
tests_test_txdev_SOURCES = tests/test_txdev.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_tw
tests_test_tcp_tw_SOURCES = tests/test_tcp_tw.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_listen
tests_test_tcp_listen_SOURCES = tests/test_tcp_listen.c $(HARNESS)
check_PROGRAMS += tests/test_tcp_synq
tests_test_tcp_synq_SOURCES = tests/test_tcp_synq.c $(HARNESS)
# Beside the kernel, as root.
check_PROGRAMS += tests/netns_linux
tests_netns_linux_SOURCES = tests/netns_linux.c tests/netns_linux.def tests/netns_linux_cc.def tests/both.c tests/both.h tests/both_arp.c tests/both_arp.h $(HARNESS)
check_PROGRAMS += tests/netns_sysctl
tests_netns_sysctl_SOURCES = tests/netns_sysctl.c
check_PROGRAMS += tests/netns_random
tests_netns_random_SOURCES = tests/netns_random.c tests/random_script.c tests/random_script.h tests/both.c tests/both.h tests/both_arp.c tests/both_arp.h $(HARNESS)
check_PROGRAMS += tests/test_txq
tests_test_txq_SOURCES = tests/test_txq.c $(HARNESS)
# With malloc() and its like wrapped.
check_PROGRAMS += tests/test_memory
tests_test_memory_SOURCES = tests/test_memory.c tests/sim.c tests/sim.h $(HARNESS)
tests_test_memory_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
check_PROGRAMS += tests/test_cc
tests_test_cc_SOURCES = tests/test_cc.c $(HARNESS)

# The shim over a fake engine: with the wrappers, so that they are what the tests call.
FAKE_ENGINE = tests/fake_engine.c tests/fake_engine.h tests/engine_none.c
SHIM_TEST_SOURCES = $(FAKE_ENGINE) tests/shim_peer.c tests/shim_peer.h
SHIM_TEST_LDADD = libinterpose.la libshim.la $(INIH_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/test_shim tests/test_shim_ready tests/test_shim_epoll tests/test_shim_life tests/test_shim_fork tests/test_shim_sock tests/test_conf tests/test_rules tests/test_alloc
tests_test_shim_SOURCES = tests/test_shim.c $(SHIM_TEST_SOURCES)
tests_test_shim_LDADD = $(SHIM_TEST_LDADD)
tests_test_shim_sock_SOURCES = tests/test_shim_sock.c $(SHIM_TEST_SOURCES)
tests_test_shim_sock_LDADD = $(SHIM_TEST_LDADD)
tests_test_shim_ready_SOURCES = tests/test_shim_ready.c $(SHIM_TEST_SOURCES)
tests_test_shim_ready_LDADD = $(SHIM_TEST_LDADD)
tests_test_shim_epoll_SOURCES = tests/test_shim_epoll.c $(SHIM_TEST_SOURCES)
tests_test_shim_epoll_LDADD = $(SHIM_TEST_LDADD)
tests_test_shim_life_SOURCES = tests/test_shim_life.c $(SHIM_TEST_SOURCES)
tests_test_shim_life_LDADD = $(SHIM_TEST_LDADD)
tests_test_shim_fork_SOURCES = tests/test_shim_fork.c $(SHIM_TEST_SOURCES)
tests_test_shim_fork_LDADD = $(SHIM_TEST_LDADD)
# The same on the real engine.
check_PROGRAMS += tests/netns_shim tests/netns_shim_ready tests/netns_shim_epoll
tests_netns_shim_SOURCES = tests/test_shim.c tests/shim_peer.c tests/shim_peer.h tests/shim_wire.c
tests_netns_shim_LDADD = libinterpose.la libshim.la libengine.la libstack.la libnetif.la $(MNL_LIBS) \
	$(INIH_LIBS) $(CMOCKA_LIBS)
# cmocka's handlers go through the library's signal(), as those of a program that it is preloaded to.
# (By a name of the same file that no sanitizer's run-time has, too.)
tests_netns_shim_LDFLAGS = -Wl,-u,siginterrupt
tests_netns_shim_ready_LDFLAGS = $(tests_netns_shim_LDFLAGS)
tests_netns_shim_ready_SOURCES = tests/test_shim_ready.c tests/shim_peer.c tests/shim_peer.h tests/shim_wire.c
tests_netns_shim_ready_LDADD = $(tests_netns_shim_LDADD)
tests_netns_shim_epoll_LDFLAGS = $(tests_netns_shim_LDFLAGS)
tests_netns_shim_epoll_SOURCES = tests/test_shim_epoll.c tests/shim_peer.c tests/shim_peer.h tests/shim_wire.c
tests_netns_shim_epoll_LDADD = $(tests_netns_shim_LDADD)
tests_test_alloc_LDADD = $(SHIM_TEST_LDADD)
tests_test_alloc_SOURCES = tests/test_alloc.c $(FAKE_ENGINE) tests/shim_peer.h
tests_test_conf_LDADD = libconf.la $(INIH_LIBS) $(CMOCKA_LIBS)
tests_test_rules_LDADD = $(tests_test_conf_LDADD)

# What lets packetdrill test xtcp; see tests/packetdrill/run.
check_LTLIBRARIES += adapter.la
adapter_la_SOURCES = tests/packetdrill/adapter.c
adapter_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
adapter_la_LIBADD =
check_LTLIBRARIES += follow.la
follow_la_SOURCES = tests/packetdrill/follow.c
follow_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
follow_la_LIBADD =
EXTRA_DIST += tests/packetdrill/run

# Conformance scripts on a virtual clock: the shim and the core with an engine of our own between.
check_PROGRAMS += tests/conform_run
tests_conform_run_SOURCES = \
	stack/engine_ready.c \
	stack/engine_open.c \
	stack/engine_sock.c \
	tests/engine_none.c \
	tests/conform/step.c \
	tests/conform/step.h \
	tests/conform/step_msg.c \
	tests/conform/code.c \
	tests/conform/command.c \
	tests/conform/info.c \
	tests/conform/lex.c \
	tests/conform/lex.h \
	tests/conform/main.c \
	tests/conform/parse.c \
	tests/conform/parse.h \
	tests/conform/parse_call.c \
	tests/conform/parse_segment.c \
	tests/conform/peer.c \
	tests/conform/run.c \
	tests/conform/run.h \
	tests/conform/script.h \
	tests/conform/symbols.c \
	tests/conform/veng.c \
	tests/conform/veng_none.c \
	tests/conform/veng.h
tests_conform_run_CFLAGS = $(AM_CFLAGS)
EXTRA_DIST += tests/conform/README.md \
	$(conform_dirs)
conform_dirs = tests/conform/close tests/conform/congestion tests/conform/ecn tests/conform/epoll \
	tests/conform/fastopen tests/conform/handshake tests/conform/icmp tests/conform/info tests/conform/metrics \
	tests/conform/listen tests/conform/loss tests/conform/paws tests/conform/pmtu \
	tests/conform/receive tests/conform/send tests/conform/shutdown tests/conform/timer \
	tests/conform/timewait tests/conform/urgent tests/conform/validate tests/conform/wrong
tests_conform_run_LDADD = libinterpose.la libshim.la libstack.la $(INIH_LIBS) -lm

# ---- scripts ----

SCRIPT_TESTS = \
	tests/bench.sh \
	tests/cli.sh \
	tests/core_is_pure.sh \
	tests/docs.sh \
	tests/exports.sh \
	tests/includes.sh \
	tests/million.sh \
	tests/netns/bridge.sh \
	tests/netns/calls.sh \
	tests/netns/cleanup.sh \
	tests/netns/close_exit.sh \
	tests/netns/creds.sh \
	tests/netns/curl.sh \
	tests/netns/ecn.sh \
	tests/netns/few.sh \
	tests/netns/filecaps.sh \
	tests/netns/slowdev.sh \
	tests/netns/stress.sh \
	tests/netns/threads.sh \
	tests/netns/flood.sh \
	tests/netns/fork.sh \
	tests/netns/leftovers.sh \
	tests/netns/life.sh \
	tests/netns/local.sh \
	tests/netns/loopback.sh \
	tests/netns/nc.sh \
	tests/netns/openssl.sh \
	tests/netns/onehost.sh \
	tests/netns/options.sh \
	tests/netns/own.sh \
	tests/netns/ownhost.sh \
	tests/netns/policy.sh \
	tests/netns/polls.sh \
	tests/netns/programs.sh \
	tests/netns/python.sh \
	tests/netns/relay.sh \
	tests/netns/ring.sh \
	tests/netns/server.sh \
	tests/netns/reads.sh \
	tests/netns/epoll.sh \
	tests/netns/server_crowd.sh \
	tests/netns/server_data.sh \
	tests/netns/server_group.sh \
	tests/netns/beside.sh \
	tests/netns/confined.sh \
	tests/netns/keeper.sh \
	tests/netns/server_listening.sh \
	tests/netns/server_ports.sh \
	tests/netns/server_rights.sh \
	tests/netns/server_programs.sh \
	tests/netns/shared.sh \
	tests/netns/signals.sh \
	tests/netns/splice.sh \
	tests/netns/tun.sh \
	tests/netns/unload.sh \
	tests/netns/wget.sh
EXTRA_DIST += \
	tests/core_symbols.txt \
	tests/interface.txt \
	tests/tap.sh \
	tests/totals.sh \
	tests/suites/cpython \
	tests/suites/compare.py \
	tests/suites/libevent \
	tests/suites/libuv \
	tests/suites/ltp \
	tests/suites/suite.sh \
	tests/netns/client.py \
	tests/netns/data.py tests/netns/demo.sh \
	tests/netns/dropper.py \
	tests/netns/echoer.py \
	tests/netns/flows.py \
	tests/netns/pieces.py \
	tests/netns/forker.py tests/netns/life.py \
	tests/netns/beside.py \
	tests/netns/group.py \
	tests/netns/lib.sh \
	tests/netns/crowd.py \
	tests/netns/listening.py \
	tests/netns/onehost.py \
	tests/netns/onehost_lib.sh \
	tests/netns/loopback.py \
	tests/netns/options.txt \
	tests/netns/peer.py \
	tests/netns/policies.py \
	tests/netns/few.py \
	tests/netns/polls.py \
	tests/netns/plugin.c \
	tests/netns/relay_lib.sh \
	tests/netns/reads.py \
	tests/netns/epoll.py \
	tests/netns/rights.py \
	tests/netns/server.py \
	tests/netns/stress_lib.sh \
	tests/netns/tunnel.py \
	tests/netns/splice.py \
	tests/netns/urgent.py

# ---- fuzz targets: tests/fuzz_X.c with its inputs in tests/corpus/X/ ----
# Each defines LLVMFuzzerTestOneInput().  With --enable-fuzz they are libFuzzer programs, which
# tests/fuzz-run builds and runs; else tests/fuzz_main.c is their main() and make check replays
# the inputs.

FUZZ_RIG = $(PLACE) tests/fuzz_rig.c tests/fuzz_rig.h tests/fuzz_check.c tests/fuzz_check.h tests/fuzz_in.h

FUZZ_TARGETS = tests/fuzz_stack tests/fuzz_states tests/fuzz_peer tests/fuzz_opts tests/fuzz_icmp \
	tests/fuzz_wire tests/fuzz_conf
tests_fuzz_stack_SOURCES = tests/fuzz_stack.c $(FUZZ_RIG)
tests_fuzz_stack_LDADD = libstack.la $(FUZZ_LIBS)
tests_fuzz_stack_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_states_SOURCES = tests/fuzz_states.c $(FUZZ_RIG)
tests_fuzz_states_LDADD = libstack.la $(FUZZ_LIBS)
tests_fuzz_states_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_peer_SOURCES = tests/fuzz_peer.c $(PLACE) tests/fuzz_check.c tests/fuzz_check.h tests/fuzz_in.h
tests_fuzz_peer_LDADD = libstack.la $(FUZZ_LIBS)
tests_fuzz_peer_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_opts_SOURCES = tests/fuzz_opts.c $(FUZZ_RIG)
tests_fuzz_opts_LDADD = libstack.la $(FUZZ_LIBS)
tests_fuzz_opts_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_icmp_SOURCES = tests/fuzz_icmp.c $(FUZZ_RIG)
tests_fuzz_icmp_LDADD = libstack.la $(FUZZ_LIBS)
tests_fuzz_icmp_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_wire_SOURCES = tests/fuzz_wire.c tests/fuzz_in.h
tests_fuzz_wire_LDADD = libstack.la $(FUZZ_LIBS)
tests_fuzz_wire_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_conf_SOURCES = tests/fuzz_conf.c tests/fuzz_in.h
tests_fuzz_conf_LDADD = libconf.la libstack.la $(INIH_LIBS) $(FUZZ_LIBS)
tests_fuzz_conf_LDFLAGS = $(FUZZ_LINK)
EXTRA_DIST += tests/corpus tests/fuzz-run

if ENABLE_FUZZ
FUZZ_LIBS =
FUZZ_LINK = -fsanitize=fuzzer
noinst_PROGRAMS = $(FUZZ_TARGETS)
else
check_LTLIBRARIES += libfuzzmain.la
libfuzzmain_la_SOURCES = tests/fuzz_main.c
FUZZ_LIBS = libfuzzmain.la
FUZZ_LINK =
check_PROGRAMS += $(FUZZ_TARGETS)
endif

TESTS += $(check_PROGRAMS) $(SCRIPT_TESTS)
EXTRA_DIST += $(SCRIPT_TESTS)

# Two that compare times with the kernel's to the millisecond run when all others have ended, one after the other.
# (By variables: a target that is named would take the place of automake's own rule.)
LAST_BUT_ONE = tests/netns_linux.log
LAST = tests/netns_random.log
$(LAST_BUT_ONE): $(filter-out $(LAST_BUT_ONE) $(LAST),$(TEST_LOGS))
$(LAST): $(filter-out $(LAST),$(TEST_LOGS))
