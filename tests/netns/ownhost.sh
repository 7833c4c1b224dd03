#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A server with an own address (--address), and its clients on the same host: programs of the kernel's TCP, others over
# xtcp by the shared address, by another own one, by the same (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
. "$here/onehost_lib.sh"
need python3 setpriv
net_up
OTHER_ADDR=10.99.0.10
other() { xt shared --address $OTHER_ADDR/24 "$@"; }

# What is attached to the interface's exit; -1: the kernel has no such programs.
programs() { in_c python3 "$here/onehost.py" programs "$C_IF"; }
[ "$(programs)" = 0 ] || skip_all "the kernel has no TCX programs (Linux 6.6)"
# Bytes that have come in on the other side.
wire_bytes() { in_s awk -v i="$S_IF:" '$1 == i { print $2 }' /proc/net/dev; }

check_eq "a server outside" listens "$(serve outside 0.0.0.0 7400)"
check_eq "a client with an own address attaches nothing" "ok 0" "$(xt own python3 "$here/onehost.py" programs "$C_IF" $S_ADDR 7400)"
check_eq "a kernel server on every address of the host" listens "$(serve kernel 0.0.0.0 7401)"
check_eq "one over xtcp with an own address, and the same port" listens "$(serve own 0.0.0.0 7401)"
check_eq "another, on the address by its name" listens "$(serve own $OWN_ADDR 7402)"
check_eq "one with another own address" listens "$(serve other 0.0.0.0 7403)"
check_eq "one on the shared address" listens "$(serve shared 0.0.0.0 7404)"

SERVED="$OWN_ADDR:7401 $OWN_ADDR:7402 $OTHER_ADDR:7403 $C_ADDR:7404 $C_ADDR:7401"
before=$(wire_bytes)
check_eq "the host's kernel reaches all of them" "ok ok ok ok ok" "$(asks kernel $SERVED)"
check "nothing of this leaves the host" test $(($(wire_bytes) - before)) -lt 100000
check "it is told where nobody listens" [ "$(ask kernel $OWN_ADDR 7409)" = ECONNREFUSED ]
check "its echo requests are answered" in_c python3 "$here/onehost.py" ping $OWN_ADDR
for mode in shared other own; do
	check_eq "$mode: a process reaches all of them" "ok ok ok ok ok" "$(asks $mode $SERVED)"
	check_eq "$mode: it is told where nobody listens" "ECONNREFUSED ECONNREFUSED" \
		"$(asks $mode $OWN_ADDR:7409 $OTHER_ADDR:7409)"
	check_eq "$mode: all are reached from outside" "ok ok ok ok ok" "$(asks outside $SERVED)"
done
check_eq "a process reaches itself by its address" ok "$(xt own python3 "$here/onehost.py" self $OWN_ADDR)"

# ---- the end ----

check_eq "each process has a program there" 3 "$(programs)"
end 740.
none() { [ "$(programs)" = 0 ]; }
check "kill -9 takes them away" until_true 10 none
check_eq "the address goes on with another process" listens "$(serve own 0.0.0.0 7401)"
check_eq "and is reached" ok "$(ask kernel $OWN_ADDR 7401)"
end 7401
check "nothing is left" until_true 10 none

# ---- without CAP_BPF ----

plain() { in_c setpriv --bounding-set -bpf,-sys_admin "$XTCP_RUN" --log info --address $OWN_ADDR/24 "$@"; }
check_eq "a server without CAP_BPF" listens "$(serve plain 0.0.0.0 7405)"
check_eq "is reached from outside" ok "$(ask outside $OWN_ADDR 7405)"
check "and the log says what is missing" grep -q "own host.*CAP_BPF" "$T/served"
finish
