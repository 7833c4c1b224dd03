#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs of one host, over xtcp and over the kernel: whom they reach, and that those of the kernel notice nothing
# (topology: lib.sh; $C has a second interface, with 10.97.0.1).
. "$(dirname "$0")/lib.sh"
. "$here/onehost_lib.sh"
need python3
net_up
ip -n "$C" link add "y$C_IF" type veth peer name "y$S_IF" netns "$S"
ip -n "$C" addr add 10.97.0.1/24 dev "y$C_IF" && ip -n "$C" link set "y$C_IF" up

# by MODE ...: the same, and whose connection it was.
by() {
	local before answer who=xtcp
	before=$(tcp_counter ActiveOpens)
	answer=$(ask "$@")
	[ "$(tcp_counter ActiveOpens)" = "$before" ] || who=kernel
	echo "$answer $who"
}

# ---- a program over xtcp and the kernel's servers of its host ----

check_eq "a kernel server" listens "$(serve kernel 0.0.0.0 7301)"
check_eq "one outside" listens "$(serve outside 0.0.0.0 7301)"
for mode in shared own; do
	for to in 127.0.0.1 127.200.3.4 $C_ADDR 10.97.0.1 0.0.0.0; do
		check_eq "$mode: to $to it is the kernel's" "ok kernel" "$(by $mode $to 7301)"
		check_eq "$mode: a closed port of $to refuses" "ECONNREFUSED kernel" "$(by $mode $to 7302)"
	done
	check_eq "$mode: bound to the host's address" "ok kernel" "$(by $mode 127.0.0.1 7301 127.0.0.9)"
	check_eq "$mode: by MSG_FASTOPEN, too" "ok kernel" "$(by $mode 127.0.0.1 7301 fast)"
	check_eq "$mode: by MSG_FASTOPEN elsewhere" "ok xtcp" "$(by $mode $S_ADDR 7301 fast)"
	check_eq "$mode: elsewhere it is not" "ok xtcp" "$(by $mode $S_ADDR 7301)"
done

# An address that comes while the program runs, and one that goes.
mkfifo "$T/later"
exec {later}<>"$T/later"
xt_bg shared python3 "$here/onehost.py" later 7301 <"$T/later" >"$T/answers" 2>"$T/err" {later}>&- &
disown
answers() { [ "$(wc -l <"$T/answers")" -ge "$1" ]; }
echo $S_ADDR >&$later
until_true 10 answers 1
in_c ip addr add 10.96.0.1/32 dev "y$C_IF"
before=$(tcp_counter ActiveOpens)
echo 10.96.0.1 >&$later
until_true 10 answers 2
check_eq "an address that came later is the host's own" "ok 1" \
	"$(sed -n 2p "$T/answers") $(($(tcp_counter ActiveOpens) - before))"
exec {later}>&-
pids_like "onehost.py later" | xargs -r kill 2>/dev/null

# ---- two processes over xtcp on one address ----

check_eq "one on every address" listens "$(serve shared 0.0.0.0 7311)"
check_eq "another on the host's address" listens "$(serve shared $C_ADDR 7312)"
check_eq "another on 127.0.0.1" listens "$(serve shared 127.0.0.1 7313)"
for mode in shared kernel; do
	for to in "127.0.0.1 7311" "$C_ADDR 7311" "10.97.0.1 7311" "$C_ADDR 7312" "127.0.0.1 7313"; do
		check_eq "$mode: a process reaches the server at $to" ok "$(ask $mode $to)"
	done
	check_eq "$mode: and not where it doesn't listen" ECONNREFUSED "$(ask $mode 127.0.0.1 7312)"
done
check_eq "outside, the first" ok "$(ask outside $C_ADDR 7311)"
check_eq "outside, the second" ok "$(ask outside $C_ADDR 7312)"
check_eq "outside, 127.0.0.1 isn't reached" ECONNREFUSED "$(ask outside $C_ADDR 7313)"
accepted=$(tcp_counter PassiveOpens)
ask outside $C_ADDR 7311 >"$T/out"
check_eq "a client outside is xtcp's" "$accepted" "$(tcp_counter PassiveOpens)"

# ---- ports: whoever was first has it, and the other is told ----

check_eq "a kernel program can't listen on a port of xtcp's" EADDRINUSE "$(in_c python3 "$here/onehost.py" try 0.0.0.0 7311)"
check_eq "nor on the address alone" EADDRINUSE "$(in_c python3 "$here/onehost.py" try $C_ADDR 7312)"
check_eq "it can, on another address" listens "$(in_c python3 "$here/onehost.py" try 10.97.0.1 7312)"
check_eq "xtcp can't listen on a port of the kernel's" EADDRINUSE "$(xt shared python3 "$here/onehost.py" try 0.0.0.0 7301)"
check_eq "another process over xtcp can't, either" EADDRINUSE "$(xt shared python3 "$here/onehost.py" try 0.0.0.0 7311)"
check_eq "with an own address it can: that is another host" listens "$(xt own python3 "$here/onehost.py" try 0.0.0.0 7301)"
check_eq "and the kernel's server is reached as before" ok "$(ask outside $C_ADDR 7301)"
check_eq "by its own host, too" ok "$(ask kernel 127.0.0.1 7301)"
end 7311
is_free() { [ "$(in_c python3 "$here/onehost.py" try 0.0.0.0 7311)" = listens ]; }
check "killed with -9: the kernel's programs can have the port" until_true 10 is_free
check_eq "a kernel program takes it" listens "$(serve kernel 0.0.0.0 7311)"
check_eq "and is reached" "ok ok ok" "$(ask outside $C_ADDR 7311) $(ask kernel $C_ADDR 7311) $(ask shared $C_ADDR 7311)"
finish
