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

# get RULES PORT [PROGRAM]: curl over xtcp; "BY STATUS", where BY is whose connection it was.
get() {
	local before status by=xtcp
	before=$(tcp_counter ActiveOpens)
	rm -f "$T/got"
	xt $mode --policy "$1" "${3:-curl}" -sS -m 10 -o "$T/got" "http://$S_ADDR:$2/small.txt"
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
	until_true 10 found "$2" "$pid"
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
finish
