#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# --policy: which connections and listeners are xtcp's, the kernel's, nobody's, seen by what the kernel of
# the client's namespace counts (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 curl nc
net_up
make_files 1
(cd "$T/www" && server "$S" 8080 python3 -m http.server -b 0.0.0.0 8080) || exit 99
(cd "$T/www" && server "$S" 8081 python3 -m http.server -b 0.0.0.0 8081) || exit 99
cp "$(command -v curl)" "$T/fetch"

# get RULES PORT [PROGRAM]: curl over xtcp; "BY STATUS", where BY is whose connection it was.  get_plain PORT: by the rules of
# the environment.
get() { get_with --policy "$1" "${3:-curl}" "$2"; }
get_plain() { get_with curl "$1"; }
get_with() {
	local before status by=xtcp
	before=$(tcp_counter ActiveOpens)
	rm -f "$T/got"
	xt $mode "${@:1:$#-1}" -sS -m 10 -o "$T/got" "http://$S_ADDR:${*: -1}/small.txt"
	status=$?
	[ "$(tcp_counter ActiveOpens)" = "$before" ] || by=kernel
	[ $status != 0 ] || cmp -s "$T/got" "$T/www/small.txt" || status=differs
	echo "$by $status"
}

for mode in shared own; do
	check_eq "$mode: no rule fits" "xtcp 0" "$(get 'kernel :1' 8080)"
	check_eq "$mode: to the kernel" "kernel 0" "$(get "kernel connect $S_ADDR" 8080)"
	check_eq "$mode: by prefix and port" "kernel 0" "$(get 'kernel 10.99.0.0/24:8080-8080' 8080)"
	check_eq "$mode: another port" "xtcp 0" "$(get 'kernel 10.99.0.0/24:8080-8080' 8081)"
	check_eq "$mode: the first that fits" "xtcp 0" "$(get "xtcp :8080; kernel" 8080)"
	check_eq "$mode: the next one" "kernel 0" "$(get "xtcp :8080; kernel" 8081)"
	check_eq "$mode: of a role that isn't played" "xtcp 0" "$(get 'kernel listen' 8080)"
	check_eq "$mode: refused" "xtcp 7" "$(get 'refuse connect' 8080)"
	check_eq "$mode: of another program" "xtcp 0" "$(get 'kernel @wget' 8080)"
	check_eq "$mode: of this one" "kernel 0" "$(get 'kernel @fe*' 8080 "$T/fetch")"
done

# ---- what needs no stack opens none ----

alone() {
	(sanitizer_env curl && in_c env LD_PRELOAD="$LIBXTCP" XTCP_INTERFACE=nosuch0 XTCP_POLICY="$1" \
		curl -sS -m 10 -o "$T/got" "http://$S_ADDR:8080/small.txt" 2>"$T/err")
}
check "all is the kernel's: no interface is opened" alone kernel
alone 'kernel :1' 2>/dev/null
check_eq "not all is: it is" 7 $?
alone 'kernel :x'
check "a wrong rule is told" grep -q 'XTCP_POLICY.*xtcp, kernel, bridge or refuse' "$T/err"

# ---- listeners ----

# serve RULES PORT: until it is ended; where it is reached: "kernel" by the host's address 127.0.0.1, "xtcp"
# by its own address from outside, "refused" when it said so.
serve() {
	local pid who
	xt_bg own --policy "$1" python3 "$here/server.py" asyncio "$2" 2>"$T/err" >/dev/null &
	pid=$!
	until_true 40 found "$2" "$pid"
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	cat "$T/who"
}
found() {
	if in_c nc -z -w 1 127.0.0.1 "$1" 2>/dev/null; then
		echo kernel
	elif in_s nc -z -w 1 "$OWN_ADDR" "$1" 2>/dev/null; then
		echo xtcp
	elif ! kill -0 "$2" 2>/dev/null && grep -q 'Permission denied' "$T/err"; then
		echo refused
	else
		return 1
	fi >"$T/who"
}

check_eq "a listener, without a rule" xtcp "$(serve 'kernel connect' 9001)"
check_eq "a listener for the kernel" kernel "$(serve 'kernel listen :9002' 9002)"
check_eq "a listener at another port" xtcp "$(serve 'kernel listen :9002' 9003)"
check_eq "a listener refused" refused "$(serve 'refuse listen' 9004)"
check_eq "a listener by its address, which is any" kernel "$(serve 'kernel listen 0.0.0.0' 9005)"

# ---- every way to connect and to listen ----

RULES="refuse connect :7101; kernel connect :7102; bridge connect :7103; xtcp connect :7104; refuse listen :7105; \
kernel listen :7102; bridge listen :7103; xtcp listen :7104; refuse @nosuch*; refuse connect 127.0.0.0/8:7106; \
refuse connect :7107 @heir; kernel listen :7107 @heir"
for ns in $C $S; do
	for port in 7101 7102 7103 7104 7106 7107; do echo $port; done |
		xargs ip netns exec $ns python3 "$here/policies.py" serve >"$T/server" 2>&1 &
	disown
	until_true 10 ip netns exec $ns python3 -c "
import socket
for port in 7101, 7102, 7103, 7104, 7106, 7107:
    socket.create_connection(('127.0.0.1', port), 1)" 2>"$T/err"
done
# same NAME MODE ARGUMENT...: what policies.py says is what comes in.
same() {
	local name=$1 mode=$2
	shift 2
	xt $mode --policy "$RULES" python3 "$here/policies.py" "$@" >"$T/found"
	diff - "$T/found" >"$T/diff"
	report $? "$name"
	[ ! -s "$T/diff" ] || sed 's/^/#   /' "$T/diff"
}
heirs() {
	local way last kernels
	for way in "fork()" "a message" exec; do
		last=xtcp kernels=kernel
		[ "$way" != exec ] || last=ECONNREFUSED kernels=ECONNREFUSED
		echo "$way, AF_INET: ECONNREFUSED kernel xtcp xtcp xtcp $last"
		echo "$way, AF_INET6: ECONNREFUSED kernel xtcp xtcp xtcp $last"
		echo "$way, bound: ECONNREFUSED kernel xtcp xtcp xtcp $last"
		echo "$way, to this host: ECONNREFUSED kernel kernel kernel ECONNREFUSED $kernels"
		echo "$way, IPv6: ECONNREFUSED kernel kernel kernel kernel $kernels"
	done
}
for mode in shared own; do
	same "$mode: every way to connect" $mode connect $S_ADDR 7101 7102 7103 7104 7106 <<-END
	AF_INET: ECONNREFUSED kernel xtcp xtcp xtcp
	AF_INET6: ECONNREFUSED kernel xtcp xtcp xtcp
	not blocking: ECONNREFUSED kernel xtcp xtcp xtcp
	bound to any address: ECONNREFUSED kernel xtcp xtcp xtcp
	MSG_FASTOPEN by sendto(): ECONNREFUSED kernel xtcp xtcp xtcp
	MSG_FASTOPEN by sendmsg(), AF_INET6: ECONNREFUSED kernel xtcp xtcp xtcp
	TCP_FASTOPEN_CONNECT: ECONNREFUSED kernel xtcp xtcp xtcp
	a second attempt: ECONNREFUSED kernel xtcp xtcp xtcp
	datagrams: sent
	END
	same "$mode: what is refused is refused to sockets of the kernel, too" $mode own <<-END
	127.0.0.1: ECONNREFUSED kernel kernel ECONNREFUSED
	mapped: ECONNREFUSED kernel kernel ECONNREFUSED
	bound to 127.0.0.1: ECONNREFUSED kernel kernel ECONNREFUSED
	bound to 127.0.0.1, MSG_FASTOPEN: ECONNREFUSED kernel kernel ECONNREFUSED
	bound to 127.0.0.1, MSG_FASTOPEN by sendmsg(): ECONNREFUSED kernel kernel ECONNREFUSED
	bound where no listener may be: ECONNREFUSED kernel kernel ECONNREFUSED
	a second attempt: ECONNREFUSED kernel kernel ECONNREFUSED
	IPv6: ECONNREFUSED kernel kernel kernel
	bound to ::1: ECONNREFUSED kernel kernel kernel
	END
	same "$mode: sockets that another process has made: who connects them is asked, and options stay" $mode \
		heirs $S_ADDR 7101 7102 7103 7104 7106 7107 < <(heirs)
done
pids_like "policies.py serve" | xargs -r kill 2>/dev/null
same "own: every way to listen" own listen $OWN_ADDR 7105 7102 7103 7104 7106 <<-END
	on every address: EACCES kernel xtcp xtcp xtcp
	on one: EACCES EADDRNOTAVAIL xtcp xtcp xtcp
	on ::: EACCES kernel xtcp xtcp xtcp
	on :: alone: EACCES kernel kernel kernel kernel
	on 127.0.0.1: EACCES kernel kernel kernel kernel
	on ::1: EACCES kernel kernel kernel kernel
	not bound: xtcp
END
same "own: who listens on a socket that another process has made" own heirs-listen 7105 7102 7103 7104 7107 <<-END
	fork(), bound: EACCES kernel xtcp xtcp xtcp
	fork(), bound to ::: EACCES kernel xtcp xtcp xtcp
	a message, bound: EACCES kernel xtcp xtcp xtcp
	a message, bound to ::: EACCES kernel xtcp xtcp xtcp
	exec, bound: EACCES kernel xtcp xtcp kernel
	exec, bound to ::: EACCES kernel xtcp xtcp kernel
END

# ---- IPv6 ----

# said [OPTION...] -- ADDRESS...: what is logged when curl fetches from each; the answers are in $T/answers.
said() {
	local -a options=() urls=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	for a; do urls+=(-o "$T/got" "http://[$a]:8082/small.txt"); done
	xt own "${options[@]}" curl -s -m 10 -w '%{http_code} ' "${urls[@]}" >"$T/answers"
	grep '^xtcp: ' "$T/err"
}
# Without a name of its own: asking for that takes long where no resolver answers.
V6_SERVER="
import functools, http.server, socket, sys
socket.getfqdn = str
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Server(('::', 8082), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])).serve_forever()"
WARNING="xtcp: warning: connections to IPv6 addresses are the kernel's"
if ip -n "$C" addr add fd00:99::1/64 nodad dev "$C_IF" 2>/dev/null && ip -n "$S" addr add fd00:99::2/64 nodad dev "$S_IF"; then
	for ns in $C $S; do
		ip netns exec $ns python3 -c "$V6_SERVER" "$T/www" >"$T/server.$ns" 2>&1 &
		disown
		check "a server on IPv6" until_true 10 ip netns exec $ns curl -s -o "$T/got" 'http://[::1]:8082/'
	done
	check_eq "connections to IPv6 addresses: the log says once that they are the kernel's" "$WARNING" \
		"$(said -- fd00:99::2 fd00:99::2)"
	check_eq "and they are made" "200 200 " "$(cat "$T/answers")"
	check_eq "those to ::1 are nobody's surprise" "" "$(said -- ::1)"
	check_eq "and they are made, too" "200 " "$(cat "$T/answers")"
	check_eq "nor those that a rule leaves to it" "" "$(said --policy 'kernel connect :8082' -- fd00:99::2)"
	check_eq "which are made" "200 " "$(cat "$T/answers")"
	check_eq "nor what there is no route to" "" "$(said -- 2001:db8::1)"
	check_eq "nor mapped ones" "" "$(said -- ::ffff:$S_ADDR)"
	check_eq "which are made, too" "200 " "$(cat "$T/answers")"
else
	skip "connections to IPv6 addresses" "no IPv6 here"
fi

# ---- the file, the variable and the option ----

echo "policy = kernel connect :1 ; kernel connect :8080" >"$T/conf"
check_eq "rules of a file" "kernel 0" "$(XTCP_CONFIG=$T/conf; export XTCP_CONFIG; get_plain 8080)"
check_eq "a variable replaces them" "xtcp 0" "$(XTCP_CONFIG=$T/conf XTCP_POLICY='xtcp connect'; export XTCP_CONFIG XTCP_POLICY
	get_plain 8080)"
check_eq "an option replaces the variable" "xtcp 7" "$(XTCP_POLICY='kernel'; export XTCP_POLICY; get 'refuse connect' 8080)"
echo "policy = kernel connect :x" >"$T/conf"
xt own --config "$T/conf" true
check_eq "a wrong rule of a file ends it" 2 $?
check "and is named" grep -q "$T/conf, line 1: policy: \":x\" in the rule \"kernel connect :x\" has no port" "$T/err"
xt own --policy "xtcp; refuse connect listen" true
check_eq "one of an option does" 2 $?
check "and is named, too" grep -q '"listen" in the rule "refuse connect listen" is a second role' "$T/err"
finish
