# SPDX-License-Identifier: BSD-2-Clause
#
# lib.sh - what the namespace tests share; sourced, never run.
#
#      namespace $C (client: programs over xtcp)     namespace $S (server: the kernel's TCP)
#
#        $C_IF  10.99.0.1/24  shared address             $S_IF  10.99.0.2/24
#               10.99.0.9     an own one (--address)         |
#                  |                                         |
#                  +----------------- veth ------------------+
#                                 default route of $C: 10.99.0.2
#
# Names carry the process id, so that scripts run side by side; whatever happens, kill -9 included,
# clean_up removes the namespaces and all that runs in them.  Nothing here waits for a time: it waits
# for a condition, with an end.  A script calls need, net_up, then checks, then finish.
# Results are told as tests/tap.sh does.

set -u
LC_ALL=C
export LC_ALL

: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${top_builddir:=$PWD}"
C=xtcp-c$$
S=xtcp-s$$
C_IF=xc$$
S_IF=xs$$
C_ADDR=10.99.0.1
S_ADDR=10.99.0.2
OWN_ADDR=10.99.0.9
XTCP_RUN=$top_builddir/xtcp-run
LIBXTCP=$top_builddir/.libs/libxtcp.so
T=
# Ours are the wrappers of libc's calls, so tsan's own handlers must not come before its run-time is up.  In such a build
# the library has libc's heap, which handlers must not use; without it, it has its own (shim/alloc.c).
export TSAN_OPTIONS="handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0\
:report_signal_unsafe=0:die_after_fork=0${XTCP_TSAN_LOG:+:log_path=$XTCP_TSAN_LOG}"
here=${BASH_SOURCE[0]%/*}
. "$top_srcdir/tests/tap.sh"

# ---- the two namespaces ----

need() {
	local c
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	case "${is_instrumented:-} ${SANITIZERS:-} " in
	" "*" tsan "*) [ -n "${XTCP_TSAN_LOG:-}" ] || skip_all "tests/tsan-run runs what ThreadSanitizer can judge" ;;
	esac
	[ -x "$XTCP_RUN" ] && [ -e "$LIBXTCP" ] || skip_all "xtcp-run or libxtcp.so isn't built"
	for c in ip sha256sum "$@"; do
		command -v "$c" >/dev/null || skip_all "$c isn't installed"
	done
}

# Is the program there?  What has threads that keep in step by atomics of their own, which tsan doesn't see, is not for it.
has() {
	case " ${SANITIZERS:-} " in *" tsan "*) return 1 ;; esac
	command -v "$1" >/dev/null
}

# Removes the namespaces, what runs in them, and the files: by on_exit, and by the guard when
# the script itself was killed.  Prints nothing, may be called twice.
clean_up() {
	local ns pids
	for ns in "$C" "$S" ${R:+"$R"}; do
		pids=$(ip netns pids "$ns" 2>/dev/null)
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
		ip netns del "$ns" 2>/dev/null
	done
	[ -z "$T" ] || rm -rf "$T"
}

on_exit() {
	local status=$?
	trap '' INT TERM HUP
	clean_up
	[ -z "${guard:-}" ] || kill -KILL -- "-$guard" 2>/dev/null
	exit $status
}

# A process of its own session that cleans up if this script is killed with -9.
start_guard() {
	C=$C S=$S R=${R:-} T=$T setsid bash -c "$(declare -f clean_up); tail --pid=$$ -f /dev/null; clean_up" \
		</dev/null >/dev/null 2>&1 &
	guard=$!
	disown
}

# What joins the two; relay_lib.sh has another one.
net_wire() { ip -n "$C" link add "$C_IF" type veth peer name "$S_IF" netns "$S"; }

net_up() {
	trap on_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	T=$(mktemp -d "${TMPDIR:-/tmp}/xtcp-test.XXXXXX") || exit 99
	chmod 755 "$T"
	start_guard
	ip netns add "$C" 2>"$T/err" && ip netns add "$S" ||
		skip_all "namespaces can't be made here: $(cat "$T/err")"
	net_wire 2>"$T/err" || skip_all "veth pairs can't be made here: $(cat "$T/err")"
	ip -n "$C" link set lo up
	ip -n "$S" link set lo up
	ip -n "$C" addr add $C_ADDR/24 dev "$C_IF"
	ip -n "$S" addr add $S_ADDR/24 dev "$S_IF"
	ip -n "$C" link set "$C_IF" up
	ip -n "$S" link set "$S_IF" up
	ip -n "$C" route add default via $S_ADDR
	: >"$T/err"
}

# pids_like WORDS: the processes in the client's namespace whose command line has them, or ends with them before a "$";
# pgrep would find those of a script beside this one, too.
pids_like() {
	local p
	for p in $(ip netns pids "$C" | sort -n); do
		{ tr '\0' '\n' <"/proc/$p/cmdline"; } 2>/dev/null | paste -sd ' ' | grep -q -e "$1" && echo "$p"
	done
}

in_c() { ip netns exec "$C" "$@"; }
in_s() { ip netns exec "$S" "$@"; }

# The run-time of a sanitized library should come before it, to see the heap.  Where it is the
# first thing in curl or wget they wait for a lock in setlocale() for ever, without us too; there
# it comes with the library, which leaves the checks of stack and globals.
sanitizer_env() {
	case " ${SANITIZERS:-} " in
	*" asan "*)
		export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
		case " $* " in *" python3 "*)
			LD_PRELOAD=$(${CC:-cc} -print-file-name=libasan.so)
			export LD_PRELOAD ;;
		esac ;;
	*" tsan "*)
		LD_PRELOAD=$(readlink -f "$(${CC:-cc} -print-file-name=libtsan.so)")
		export LD_PRELOAD ;;
	esac
}

# xt MODE [OPTION...] -- COMMAND...: a program over xtcp in the client's namespace; MODE is
# shared or own.  What it says on stderr is kept in $T/err for report.
# It is waited for as a background job, so that a signal for this script isn't held up by it.
xt() {
	xt_bg "$@" <&0 2>"$T/err" &
	wait $!
}

# The same with stderr left alone, for the background.
xt_bg() {
	local mode=$1
	shift
	[ "$mode" = shared ] || set -- --address "$OWN_ADDR/24" "$@"
	(sanitizer_env "$@" && exec ip netns exec "$C" timeout -k 5 60 "$XTCP_RUN" "$@")
}

# until_true SECONDS COMMAND...: polls until the command succeeds.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# ---- programs of the client's namespace ----

nobody_left() { [ -z "$(ip netns pids "$C")" ]; }

# end_all [SIGNAL]: ends the programs; what xtcp itself left behind (a broker, a keeper) must end by itself.
end_all() {
	ip netns pids "$C" | xargs -r ps -o pid=,comm= -p | awk '$2 !~ /^xtcp-/ { print $1 }' |
		xargs -r kill "$@" 2>/dev/null
	until_true 10 nobody_left
}

# is_served ADDRESS PORT: the server's namespace gets a connection.
is_served() { in_s python3 -c "import socket; socket.create_connection(('$1', $2), 1)" 2>/dev/null; }

# echoed ADDRESS PORT [NAMESPACE]: what is sent back for "hello".
echoed() {
	ip netns exec "${3:-$S}" timeout 10 python3 -c "
import socket
s = socket.create_connection(('$1', $2), 5)
s.sendall(b'hello')
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())" 2>"$T/err"
}

# How many tables keep the kernel's TCP away from ports.
tables() { in_c nft list tables 2>/dev/null | grep -c xtcp-; }

# ---- what the kernel's TCP of the client's namespace has done ----

# tcp_counter NAME [NAMESPACE]: a value of Tcp: in /proc/net/snmp.
tcp_counter() {
	ip netns exec "${2:-$C}" awk -v name="$1" '
		/^Tcp:/ && !n { for (i = 2; i <= NF; i++) if ($i == name) n = i; next }
		/^Tcp:/ { print $n }' /proc/net/snmp
}

# Connections of the kernel in the client's namespace: all but listening sockets.
kernel_conns() { in_c awk 'FNR > 1 && $4 != "0A"' /proc/net/tcp | wc -l; }

kernel_took_no_part() {
	check_eq "$1: the kernel opened no connection" 0 "$(tcp_counter ActiveOpens)"
	check_eq "$1: the kernel sent no reset" 0 "$(tcp_counter OutRsts)"
}

# ---- servers ----

listens() { ip netns exec "$1" awk -v p="$(printf ':%04X' "$2")" \
	'$4 == "0A" && substr($2, length($2) - 4) == p { f = 1 } END { exit !f }' /proc/net/tcp; }

# server NAMESPACE PORT COMMAND...: in the background; returns when it listens.
server() {
	local ns=$1 port=$2
	shift 2
	ip netns exec "$ns" "$@" >"$T/server.$port" 2>&1 &
	disown
	until_true 10 listens "$ns" "$port" || {
		note "no server on port $port: $(tail -n 3 "$T/server.$port")"
		return 1
	}
}

# files: $T/www/small.txt and $T/www/big.bin of the given size in MB.
make_files() {
	mkdir -p "$T/www" "$T/up"
	chmod 777 "$T/up"
	echo "xtcp: a small page" >"$T/www/small.txt"
	head -c "${1}M" /dev/urandom >"$T/www/big.bin"
	BIG_SHA=$(sha "$T/www/big.bin")
}

sha() { sha256sum "$@" | cut -c1-64; }

# serve_nginx PORT: serves $T/www, takes PUT below /up/.
serve_nginx() {
	mkdir -p "$T/nginx"
	cat >"$T/nginx/nginx.conf" <<-END
	daemon off;
	user root;
	worker_processes 1;
	pid $T/nginx/pid;
	error_log $T/nginx/error.log;
	events { worker_connections 256; }
	http {
		access_log off;
		default_type application/octet-stream;
		client_max_body_size 0;
		client_body_temp_path $T/nginx/body;
		proxy_temp_path $T/nginx/proxy;
		fastcgi_temp_path $T/nginx/fastcgi;
		uwsgi_temp_path $T/nginx/uwsgi;
		scgi_temp_path $T/nginx/scgi;
		sendfile on;
		server {
			listen $1;
			location / { root $T/www; }
			location /up/ { root $T; dav_methods PUT; }
		}
	}
	END
	server "$S" "$1" nginx -p "$T/nginx" -c "$T/nginx/nginx.conf" -e "$T/nginx/error.log"
}

# serve_tcp PORT send|recv|echo [FILE]: one python server; see peer.py.
serve_tcp() {
	local port=$1
	shift
	server "$S" "$port" python3 "$here/peer.py" "$port" "$@"
}
