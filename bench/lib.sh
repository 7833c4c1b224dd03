# SPDX-License-Identifier: BSD-2-Clause
#
# lib.sh - what the rows of bench/run are made of; sourced, never run.
#
#   namespace $C (the program under test:                        namespace $S (its peer:
#   over xtcp, or over the kernel)                                the kernel's TCP)
#
#     $C_IF 10.99.0.1 ------------------ veth ------------------ $S_IF 10.99.0.2
#     $C_BAD 10.98.0.1 --veth-- near [ $R: tests/relay ] far --veth-- $S_BAD 10.98.0.2
#
# tests/netns/lib.sh makes the namespaces, whose names have the process id, and removes them whatever happens.  Both have
# cubic, whatever the host has.
#
# A row is declared in rows.sh, and measured by its function, row_NAME (a "-" is a "_"), which is called with xtcp or kernel
# and prints as many numbers as the row has lines.  What it starts by serve() is ended after it.
#
#     row NAME "what it measures" [PROGRAM...]        programs that must be installed
#     line SUFFIX UNIT higher|lower HOW BAR AIM       one number; SUFFIX "" or as in NAME.p99
#
# HOW is what is judged: ratio (xtcp's number over the kernel's), value (xtcp's alone), added (xtcp's less the kernel's).

. "$top_srcdir/tests/netns/lib.sh"
. "$top_srcdir/tests/netns/relay_lib.sh"

C_BAD=xcb$$ S_BAD=xsb$$
C_BAD_ADDR=10.98.0.1 S_BAD_ADDR=10.98.0.2
B=$top_builddir/bench
xtcp_args=()

rows=()
declare -A row_text row_needs row_lines
servers=()
port=6000

row() {
	rows+=("$1")
	row_text[$1]=$2
	row_needs[$1]=${*:3}
	row_lines[$1]=0
}

# line SUFFIX UNIT BETTER HOW BAR AIM: of the row declared last; $declared is what report.py reads of it.
declared=
line() {
	local name=${rows[-1]}
	row_lines[$name]=$((row_lines[$name] + 1))
	printf -v declared '%s%s\t%s%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$declared" "$name" "$name" "${1:+.$1}" "${row_text[$name]}" "${@:2}"
}

# ---- the namespaces ----

net_wire() {
	local ns
	ip -n "$C" link add "$C_IF" type veth peer name "$S_IF" netns "$S" &&
	ip netns add "$R" &&
	ip -n "$C" link add "$C_BAD" type veth peer name near netns "$R" &&
	ip -n "$S" link add "$S_BAD" type veth peer name far netns "$R" || return 1
	for ns in "$C" "$S" "$R"; do
		[ "$(ip netns exec "$ns" readlink /proc/self/ns/net)" != "$(readlink /proc/self/ns/net)" ] || return 1
		ip netns exec "$ns" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
		ip -n "$ns" link set lo up
	done
	for ns in "$C" "$S"; do
		ip netns exec "$ns" sysctl -q -w net.ipv4.tcp_no_metrics_save=1
	done
	ip -n "$R" link set near up
	ip -n "$R" link set far up
	ip -n "$C" addr add $C_BAD_ADDR/24 dev "$C_BAD"
	ip -n "$S" addr add $S_BAD_ADDR/24 dev "$S_BAD"
	ip -n "$C" link set "$C_BAD" up
	ip -n "$S" link set "$S_BAD" up
	# What meets the relay is one packet each.
	[ -z "$(command -v ethtool)" ] || {
		ip netns exec "$C" ethtool -K "$C_BAD" tx off gro off
		ip netns exec "$S" ethtool -K "$S_BAD" tx off gro off
	} >/dev/null
}

# Cubic by the routes, as a namespace may not choose what the host doesn't allow everybody.
with_cubic() {
	ip -n "$C" route replace 10.99.0.0/24 dev "$C_IF" src $C_ADDR congctl cubic &&
	ip -n "$S" route replace 10.99.0.0/24 dev "$S_IF" src $S_ADDR congctl cubic &&
	ip -n "$C" route replace 10.98.0.0/24 dev "$C_BAD" src $C_BAD_ADDR congctl cubic &&
	ip -n "$S" route replace 10.98.0.0/24 dev "$S_BAD" src $S_BAD_ADDR congctl cubic
}

# offloads on|off [GRO]: of both ends of the good link.  A veth has gro off if nobody asks for it.
offloads() {
	in_c ethtool -K "$C_IF" tso "$1" gso "$1" gro "${2:-$1}" >/dev/null &&
	in_s ethtool -K "$S_IF" tso "$1" gso "$1" gro "${2:-$1}" >/dev/null
}

# Connections that the kernel of a namespace has made or taken.
opens() { echo $(($(tcp_counter ActiveOpens "$1") + $(tcp_counter PassiveOpens "$1"))); }

# ---- programs ----

# A run that failed says why; and a row that can't be measured here at all.
cannot() { echo "$*" >"$T/why"; return 1; }
lacks() { echo "$*" >"$T/lacking"; return 1; }

# near WHO COMMAND...: a program of $C, over xtcp or over the kernel.  far COMMAND...: one of its peer.
# In the background, so that a signal for this script isn't held up by it.
near() {
	local who=$1
	shift
	[ "$who" = kernel ] || set -- "$XTCP_RUN" ${xtcp_args[@]+"${xtcp_args[@]}"} "$@"
	in_c timeout -k 5 "$LIMIT" "$@" 2>"$T/err" &
	wait $!
}
far() {
	in_s timeout -k 5 "$LIMIT" "$@" 2>"$T/err" &
	wait $!
}

next_port() { port=$((port + 1)); }

# serve PLACE OUTPUT COMMAND...: in the background until the run is over; PLACE is xtcp or kernel (a program of $C) or peer.
serve() {
	local place=$1 out=$2
	shift 2
	[ "$place" != xtcp ] || set -- "$XTCP_RUN" ${xtcp_args[@]+"${xtcp_args[@]}"} "$@"
	: >"$out"
	[ "$place" != peer ] || set -- "$S" "$@"
	[ "$place" = peer ] || set -- "$C" "$@"
	ip netns exec "$1" timeout -k 5 "$LIMIT" "${@:2}" >"$out" 2>"$T/err.server" </dev/null &
	servers+=($!)
}

# Until a server says that it is ready, or (real programs) until it listens.
is_ready() { until_true 10 says "^$1" "$2" || cannot "the server isn't ready: $(tail -n 1 "$T/err.server")"; }
listening() {
	local ns=$C
	[ "$1" != peer ] || ns=$S
	until_true 10 listens "$ns" $port || cannot "no server on port $port: $(tail -n 1 "$T/err.server")"
}

end_servers() {
	local p
	for p in ${servers[@]+"${servers[@]}"}; do
		kill -TERM "$p" 2>/dev/null
	done
	for p in ${servers[@]+"${servers[@]}"}; do
		wait "$p" 2>/dev/null
	done
	servers=()
	# A process that has ended with connections leaves one behind that carries them on; ports are theirs meanwhile.
	until_true 5 nobody_left || tell "somebody is left in the namespaces"
}

nobody_left() {
	local p
	p=$(for ns in "$C" "$S" "$R"; do ip netns pids "$ns"; done)
	[ -z "$p" ] || { kill -KILL $p 2>/dev/null; false; }
}

# ends WHO ROLE: who the server and who the client is, for serve and for run_client; and the server's address.
# ROLE is what the program under test is, client or server.
ends() {
	if [ "$2" = client ]; then
		server=peer addr=$S_ADDR client=(near "$1")
	else
		server=$1 addr=$C_ADDR client=(far)
	fi
	next_port
}

# nginx_conf WORKERS: $T/www on $port; 0 workers is a single process.
nginx_conf() {
	mkdir -p "$T/nginx" "$T/www"
	[ -e "$T/www/1k" ] || head -c 1024 /dev/zero | tr '\0' x >"$T/www/1k"
	cat >"$T/nginx/nginx.conf" <<-END
	daemon off;
	user root;
	master_process $([ "$1" = 0 ] && echo off || echo on);
	worker_processes $(($1 > 1 ? $1 : 1));
	pid $T/nginx/pid;
	error_log $T/nginx/error.log crit;
	events { worker_connections 1024; }
	http {
		access_log off;
		client_body_temp_path $T/nginx/body;
		proxy_temp_path $T/nginx/proxy;
		fastcgi_temp_path $T/nginx/fastcgi;
		uwsgi_temp_path $T/nginx/uwsgi;
		scgi_temp_path $T/nginx/scgi;
		keepalive_requests 1000000;
		server { listen $port backlog=4096; root $T/www; }
	}
	END
}

serve_web() {
	nginx_conf "$2"
	serve "$1" "$T/served" nginx -p "$T/nginx" -c "$T/nginx/nginx.conf" -e "$T/nginx/error.log"
	listening "$1"
}
