#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# --policy bridge: programs that read, write, wait and accept by system calls of their own (tests/rawcalls.c), beside the
# same over the kernel, and statically linked children (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 nc
RAW=$top_builddir/tests/rawcalls
[ -x "$RAW" ] || skip_all "tests/rawcalls isn't built"
net_up
make_files 4
serve_tcp 7003 echo || exit 99
in_c sysctl -q -w net.ipv4.tcp_congestion_control=cubic 2>/dev/null

# ---- clients ----

for how in client nonblocking; do
	in_c timeout 60 "$RAW" $how $S_ADDR 7003 >"$T/kernel"
	for mode in shared own; do
		opens=$(tcp_counter ActiveOpens)
		xt $mode --policy bridge "$RAW" $how $S_ADDR 7003 >"$T/xtcp"
		[ $mode = shared ] || sed -i "s/^local 0 $OWN_ADDR/local 0 $C_ADDR/" "$T/xtcp"
		check_eq "$mode, $how: as the kernel has it" "$(cat "$T/kernel")" "$(cat "$T/xtcp")"
		check_eq "$mode, $how: over xtcp" "$opens" "$(tcp_counter ActiveOpens)"
	done
done
in_c timeout 60 "$RAW" refused $S_ADDR 9 >"$T/kernel"
for mode in shared own; do
	xt $mode --policy bridge "$RAW" refused $S_ADDR 9 >"$T/xtcp"
	check_eq "$mode, refused: as the kernel has it" "$(cat "$T/kernel")" "$(cat "$T/xtcp")"
done

# ---- programs that nothing of comes by the library ----

cat >"$T/go.c" <<-'END'
	__asm__(".section .note.go.buildid,\"a\",@note\n.long 4,4,4\n.ascii \"Go\\0\\0id\\0\\0\"\n.previous");
	int main(void) { return 0; }
END
${CC:-cc} -o "$T/go" "$T/go.c" || exit 99
says_so() { grep -q "go is a Go program.*the kernel's" "$T/err"; }
xt shared "$T/go"
check "a Go program: its user is told whose its connections are" says_so
xt shared --policy kernel "$T/go"
says_so
check_eq "but not where the policy wants it so" 1 $?

# ---- servers ----

static=$T/static
${CC:-cc} -O1 -static -I"$top_srcdir" -I"$top_srcdir/netif" -o "$static" "$top_srcdir/tests/rawcalls.c" 2>"$T/err" ||
	{ note "no static libc: $(head -n 1 "$T/err")"; static=$RAW; }
says() { grep -q "$1" "$T/server"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
# serves MODE HOW PORT [PROGRAM]: two clients, one after the other; what they got.
serves() {
	local mode=$1 addr=$C_ADDR pid got
	shift
	[ $mode = shared ] || addr=$OWN_ADDR
	: >"$T/server"
	xt_bg $mode --policy 'bridge listen' "$RAW" "$@" >"$T/server" 2>"$T/err" &
	pid=$!
	until_true 10 says listens || return
	got=$(in_s timeout 20 nc -N $addr "$2" <"$T/www/big.bin" | sha)
	got+=" $(in_s timeout 20 nc -N $addr "$2" <"$T/www/big.bin" | sha)"
	until_true 10 gone $pid || got+=" it doesn't end"
	kill $pid 2>/dev/null
	echo "$got"
}

port=7500
for mode in shared own; do
	for how in accept epoll static inherit; do
		port=$((port + 1))
		accepted=$(tcp_counter PassiveOpens)
		case $how in static|inherit) by=$static ;; *) by= ;; esac
		check_eq "$mode, $how: two clients" "$BIG_SHA $BIG_SHA" "$(serves $mode $how $port $by)"
		check_eq "$mode, $how: over xtcp" "$accepted" "$(tcp_counter PassiveOpens)"
	done
done

# ---- clients of the same host, who come by the kernel ----

port=7550
for how in accept epoll static; do
	port=$((port + 1))
	case $how in static) by=$static ;; *) by= ;; esac
	: >"$T/server"
	xt_bg shared --policy 'bridge listen' "$RAW" $how $port $by >"$T/server" 2>"$T/err" &
	pid=$!
	until_true 10 says listens
	check_eq "$how: by 127.0.0.1" "$BIG_SHA" "$(in_c timeout 20 nc -N 127.0.0.1 $port <"$T/www/big.bin" | sha)"
	check_eq "$how: over xtcp by the host's address" "$BIG_SHA" \
		"$(xt shared nc -N $C_ADDR $port <"$T/www/big.bin" | sha)"
	check "$how: it ends" until_true 10 gone $pid
done
check_eq "options and names of such a client" "$(in_c "$RAW" own-client 7560)" \
	"$(xt shared --policy 'bridge listen' "$RAW" own-client 7560)"

# ---- which sockets ----

# by RULES: is the client's socket a bridged one?
by() { xt own --policy "$1" "$RAW" kind $S_ADDR 7003; }
check_eq "a rule for this place" bridged "$(by "bridge connect $S_ADDR:7003")"
check_eq "a rule for another port" xtcp "$(by "bridge connect $S_ADDR:7004")"
check_eq "a rule for the other role" xtcp "$(by "bridge listen")"
check_eq "a rule for this program" bridged "$(by "bridge @raw*")"
check_eq "a rule for another program" xtcp "$(by "bridge @curl")"
check_eq "the first rule decides" xtcp "$(by "xtcp :7003; bridge")"
printf 'policy = bridge connect %s/24\n' $S_ADDR >"$T/conf" && sed -i "s/10.99.0.2/10.99.0.0/" "$T/conf"
check_eq "a rule of the configuration file" bridged "$(xt own --config "$T/conf" "$RAW" kind $S_ADDR 7003)"

# ---- a port comes free with its listener ----

# Listens, closes by a call of its own, and listens again at once.
check_eq "closed behind our back: the port can be had again" "$(in_c "$RAW" again 7600)" \
	"$(xt own --policy bridge "$RAW" again 7600)"
finish
