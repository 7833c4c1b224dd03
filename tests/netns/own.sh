#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Several processes with one own address (--address) at once: none takes another's port, none resets
# another's connections, one answers for the address, and another goes on when that has gone (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 tcpdump
net_up
serve_tcp 7003 echo || exit 99

# refused PORT: a connection is answered with a reset.
refused() { in_s python3 -c "
import socket, sys
try:
    socket.create_connection(('$OWN_ADDR', $1), 3)
except ConnectionRefusedError:
    sys.exit(0)
sys.exit(1)"; }
# resets: how many connections of the server have been.
resets() { tcp_counter EstabResets "$S"; }

cat >"$T/ask.py" <<'END'
import fcntl, socket, struct, sys
s = socket.socket()
name = sys.argv[1].encode()
def ask(cmd, arg=struct.pack("256s", name)):
    return socket.inet_ntoa(fcntl.ioctl(s.fileno(), cmd, arg)[20:24])
print(ask(0x8915), ask(0x891b), ask(0x8919), ask(0x8915, struct.pack("256s", b"lo")))
END
check_eq "SIOCGIFADDR and its likes tell of the own address" "$OWN_ADDR 255.255.255.0 10.99.0.255 127.0.0.1" \
	"$(xt own python3 "$T/ask.py" "$C_IF")"
check_eq "of the shared one they tell what the kernel tells" "$C_ADDR 255.255.255.0 0.0.0.0 127.0.0.1" \
	"$(xt shared python3 "$T/ask.py" "$C_IF")"

before=$(resets)
for i in 1 2 3 4 5 6; do
	(xt_bg own python3 "$here/forker.py" many $S_ADDR 7003 >"$T/many.$i" 2>&1) &
	pids="${pids:-} $!"
done
wait $pids
for i in 1 2 3 4 5 6; do
	check_eq "client $i of six at once: 20 connections of its own" ok "$(cat "$T/many.$i")"
done
check_eq "nobody was reset" "$before" "$(resets)"

for i in 1 2 3; do
	xt_bg own python3 "$here/forker.py" serve-prefork 730$i >"$T/server.$i" 2>&1 &
	disown
	until_true 10 is_served $OWN_ADDR 730$i
	report $? "server $i of three: answers"
done
for i in 1 2 3; do
	check_eq "server $i of three: 20 clients" ok \
		"$(in_s timeout 40 python3 "$here/forker.py" many $OWN_ADDR 730$i)"
done
xt own python3 -c "import socket; s = socket.socket(); s.bind(('0.0.0.0', 7302))" 2>"$T/said"
check "a port that another has is refused" grep -q "Address already in use" "$T/err"
check "a port that nobody has is answered with a reset" refused 7399

# One answer to each question.
in_s timeout 10 tcpdump -i "$S_IF" -n -l arp and arp[6:2] = 2 >"$T/arp" 2>/dev/null &
dump=$!
until_true 5 test -e "/proc/$dump"
sleep 0.5
in_s ip neigh flush dev "$S_IF"
check "it answers after its neighbours have forgotten it" is_served $OWN_ADDR 7301
sleep 0.5
kill $dump
check_eq "one of them answers ARP" 1 "$(grep -c "$OWN_ADDR is-at" "$T/arp")"

# The first one spoke for the address; now it goes.
pids_like "serve-prefork 7301" | xargs -r kill -KILL 2>/dev/null
in_s ip neigh flush dev "$S_IF"
check "another answers when that has gone" until_true 10 is_served $OWN_ADDR 7302
check_eq "and serves" ok "$(in_s timeout 40 python3 "$here/forker.py" many $OWN_ADDR 7303)"
check "its port is refused then" until_true 5 refused 7301
finish
