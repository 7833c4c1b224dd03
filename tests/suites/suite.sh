# SPDX-License-Identifier: BSD-2-Clause
#
# suite.sh - what the scripts of this folder share; sourced, never run.  Each takes a suite of others, built by whoever runs
# it, over the kernel and over xtcp with --loopback, in a namespace with one interface, an address and a default route:
#
#     tests/suites/SUITE [-k] [-x] [-o DIR] ARGUMENT...          as root, from the build directory
#
#   -k      only over the kernel     -x      only over xtcp (the kernel's results are in DIR from before)
#   -o DIR  where the logs and the results go (a new temporary directory)
#
# How each test ended stands in DIR/NAME.kernel.results and DIR/NAME.xtcp.results, a line each: ok, failed or skipped, a
# tab, the test's name.  compare.py makes a row of doc/suites.md of them, and lists what ended otherwise.
suites=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$suites/../netns/lib.sh"

over="kernel xtcp"
out=

# suite_begin "$@": reads the options, and makes the namespace; what is left of the arguments is in ARGS.
suite_begin() {
	local opt
	while getopts kxo: opt; do
		case $opt in
		k) over=kernel ;;
		x) over=xtcp ;;
		o) out=$OPTARG ;;
		*) exit 2 ;;
		esac
	done
	shift $((OPTIND - 1))
	ARGS=("$@")
	need python3
	unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY all_proxy ALL_PROXY
	net_up
	out=${out:-$(mktemp -d "${TMPDIR:-/tmp}/xtcp-suites.XXXXXX")}
	mkdir -p "$out" && out=$(cd "$out" && pwd)
	in_c sysctl -qw net.ipv6.conf.lo.disable_ipv6=0 2>/dev/null
}

# run_over HOW NAME COMMAND...: in the namespace.  Over xtcp each process leaves its summary in DIR/NAME.xtcp.stats; how many
# connections the kernel's TCP opened meanwhile, IPv6 included, stands in DIR/NAME.HOW.kernels.
run_over() {
	local how=$1 name=$2 before status
	shift 2
	before=$(tcp_counter ActiveOpens)
	if [ "$how" = xtcp ]; then
		in_c env XTCP_LOOPBACK=1 XTCP_STATS=1 XTCP_LOG_FILE="$out/$name.xtcp.stats" LD_PRELOAD="$LIBXTCP" "$@" </dev/null
	else
		in_c "$@" </dev/null
	fi
	status=$?
	echo $(($(tcp_counter ActiveOpens) - before)) >>"$out/$name.$how.kernels"
	return $status
}

# forget HOW NAME: what a run before left.
forget() { rm -f "$out/$2.$1".*; }

# compare NAME...: rows, and what ended otherwise.
compare() {
	local name
	for name; do
		python3 "$suites/compare.py" "$out" "$name" || failures=1
	done
}

suite_end() {
	echo "# logs: $out"
	exit $((failures > 0))
}
