#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# --loopback: a program that connects to itself by 127/8 or by its own address sees what it sees over the kernel, and the
# kernel's TCP has no part in it; other processes and the kernel's programs still reach it (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 nc tcpdump
net_up
export XTCP_LOOPBACK=1

# kernel_opened COMMAND...: connections that the kernel opened meanwhile.
kernel_opened() {
	local before
	before=$(tcp_counter ActiveOpens)
	"$@"
	echo $(($(tcp_counter ActiveOpens) - before)) >"$T/opened"
}
over_kernel() { in_c timeout 60 python3 "$here/loopback.py" $C_ADDR "$@" >"$T/kernel" 2>"$T/err"; }
over_xtcp() { xt shared python3 "$here/loopback.py" $C_ADDR "$@" >"$T/xtcp"; }
as_kernel() { diff "$T/kernel" "$T/xtcp" >>"$T/err" 2>&1; }

for part in names sources endings events bulk fork others; do
	over_kernel $part
	check "$part: the kernel's answers are there" test -s "$T/kernel"
	kernel_opened over_xtcp $part
	check "$part: as over the kernel" as_kernel
	check_eq "$part: nothing went by the kernel" 0 "$(cat "$T/opened")"
done
# What nobody listens for is the kernel's to refuse, and so is IPv6.
for part in refusals refused six; do
	over_kernel $part
	check "$part: the kernel's answers are there" test -s "$T/kernel"
	over_xtcp $part
	check "$part: as over the kernel" as_kernel
done

# ---- what others see ----
answers() { ip netns exec "$C" nc -z -w 1 127.0.0.1 "$1" 2>/dev/null; }
binds() { in_c python3 -c "import socket; socket.socket().bind(('$1', $2))" 2>/dev/null; }
xt_bg shared -w "$T/lo.pcap" --stats python3 "$here/echoer.py" blocking 7700 >"$T/server" 2>&1 &
disown
check "a server starts" until_true 10 answers 7700
check "its port is nobody else's" eval '! binds 0.0.0.0 7700 && ! binds 127.0.0.1 7700 && ! binds 127.0.0.3 7700'
make_files 1
by_kernel() { in_c timeout 20 nc -N 127.0.0.1 7700 <"$T/www/big.bin" | sha >"$T/sum"; }
by_xtcp() { xt shared nc -N "$1" 7700 <"$T/www/big.bin" | sha >"$T/sum"; }
by_kernel
check_eq "a kernel's client" "$BIG_SHA" "$(cat "$T/sum")"
for addr in 127.0.0.1 127.0.0.9 $C_ADDR; do
	by_xtcp $addr
	check_eq "a client in another process, by $addr" "$BIG_SHA" "$(cat "$T/sum")"
done
ip netns pids "$C" | xargs -r kill
in_c timeout 30 python3 "$here/echoer.py" blocking 7702 >"$T/server" 2>&1 &
disown
check "a kernel's server starts" until_true 10 answers 7702
check_eq "a kernel's server, a client over xtcp" "$BIG_SHA" "$(xt shared nc -N 127.0.0.1 7702 <"$T/www/big.bin" | sha)"
check_eq "a port that was given back is free" ok "$(xt shared python3 -c "
import socket
s = socket.socket()
s.bind(('127.0.0.1', 0))
port = s.getsockname()[1]
s.close()
s = socket.socket()
s.bind(('', port))
print('ok')")"

# ---- what is told of it ----
xt shared -w "$T/lo.pcap" --stats python3 "$here/loopback.py" $C_ADDR names >/dev/null
check "the summary counts what stayed inside" grep -q 'frames .* [1-9][0-9]* inside' "$T/err"
check "the capture has the handshakes" eval \
	'[ "$(tcpdump -nr "$T/lo.pcap" "tcp[tcpflags] == tcp-syn and dst net 127" 2>/dev/null | wc -l)" = 5 ]'
check "and right checksums" eval '! tcpdump -nvvr "$T/lo.pcap" 2>/dev/null | grep -q incorrect'
check_eq "a host of its own has a 127/8 of its own" "ok 0" "$(xt own python3 -c "
import socket
for a in '127.0.0.1', '$OWN_ADDR':
    s = socket.socket()
    s.bind((a, 7702))
    s.listen()
    c = socket.create_connection((a, 7702))
    assert c.getsockname()[0] == a and s.accept()[1] == c.getsockname()
print('ok')") $(wc -l <"$T/err")"
finish
