#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xtcp-run with file capabilities, and an ordinary user who runs programs by it: clients, servers, and programs that give up
# what they were given and take ports afterwards (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 curl nginx setcap setpriv
case " ${SANITIZERS:-} " in *" asan "*) skip_all "a sanitizer's run-time must be named in an environment that isn't trusted here" ;; esac
net_up
make_files 4
serve_nginx 80 || exit 99
serve_tcp 7003 echo || exit 99
WHO=daemon
mkdir "$T/bin" "$T/plain" "$T/home" && cp "$XTCP_RUN" "$LIBXTCP" "$T/bin/" && cp "$T/bin"/* "$T/plain/" &&
	cp "$here/dropper.py" "$T/home/" && chown $WHO "$T/home"
setcap cap_net_raw,cap_net_admin+ep "$T/bin/xtcp-run" 2>"$T/err" || skip_all "files can't have capabilities here: $(cat "$T/err")"

# as_user COMMAND...: without any capability, in a directory of its own, as the tree may be closed to it.
as_user() {
	ip netns exec "$C" timeout -k 5 60 setpriv --reuid $WHO --regid $WHO --clear-groups --inh-caps=-all --ambient-caps=-all \
		env -C "$T/home" HOME="$T/home" "$@"
}
# run MODE COMMAND...: by that xtcp-run; MODE shared or own.
run() {
	local mode=$1
	shift
	[ "$mode" = shared ] || set -- --address "$OWN_ADDR/24" "$@"
	as_user "$T/bin/xtcp-run" "$@"
}
as_user "$T/bin/xtcp-run" true 2>"$T/err" ||
	! grep -q 'CAP_NET_RAW is missing' "$T/err" || skip_all "file capabilities have no effect here (nosuid?)"

held() { awk '/^Cap(Prm|Eff|Amb)/ { print $2 }' | sort -u | tr '\n' ' '; }

as_user "$T/plain/xtcp-run" true 2>"$T/err"
check_eq "without file capabilities it is refused" 2 $?
check "and told why" grep -q 'CAP_NET_RAW is missing.*setcap' "$T/err"

port=7400
for mode in shared own; do
	addr=$C_ADDR caps=0000000000003000
	[ $mode = shared ] || { addr=$OWN_ADDR caps=0000000000002000; }
	check_eq "$mode: the program has what it needs and no more" "$caps " "$(run $mode cat /proc/self/status 2>"$T/err" | held)"
	check_eq "$mode: the program is the user's" "$(id -u $WHO)" "$(run $mode id -u 2>"$T/err")"
	check_eq "$mode: curl, GET" "$BIG_SHA" "$(run $mode curl -sS "http://$S_ADDR/big.bin" 2>"$T/err" | sha)"
	run $mode curl -sS -T "$T/www/big.bin" "http://$S_ADDR/up/$mode.bin" 2>"$T/err"
	check_eq "$mode: curl, PUT" "$BIG_SHA" "$(sha "$T/up/$mode.bin")"
	check_eq "$mode: a child of the program" "$BIG_SHA" \
		"$(run $mode sh -c "curl -sS http://$S_ADDR/big.bin; true" 2>"$T/err" | sha)"

	port=$((port + 1))
	# It asks for the name of the host first, and may wait for DNS.
	run $mode python3 -m http.server -d "$T/www" -b 0.0.0.0 $port >"$T/server" 2>&1 &
	disown
	until_true 40 is_served $addr $port
	check_eq "$mode: python3 -m http.server" "$BIG_SHA" "$(in_s curl -sS "http://$addr:$port/big.bin" 2>"$T/err" | sha)"
	check "$mode: it ends" end_all

	port=$((port + 1))
	sed -e "s/listen 80;/listen $port;/; s/worker_processes 1/worker_processes 2/; s/^\tuser root;//; s|$T/nginx|$T/home|g" \
		"$T/nginx/nginx.conf" >"$T/home/nginx.conf"
	run $mode nginx -p "$T/home" -c "$T/home/nginx.conf" -e "$T/home/error.log" >"$T/server" 2>&1 &
	disown
	until_true 40 is_served $addr $port
	check_eq "$mode: nginx" "$BIG_SHA" "$(in_s curl -sS "http://$addr:$port/big.bin" 2>"$T/err" | sha)"
	check "$mode: nginx reloads" in_c kill -HUP "$(cat "$T/home/pid")"
	check_eq "$mode: nginx, reloaded" "$BIG_SHA" "$(in_s curl -sS "http://$addr:$port/big.bin" 2>"$T/err" | sha)"
	check "$mode: nginx ends" end_all

	check_eq "$mode: a client that gave up its capabilities" hello \
		"$(run $mode python3 dropper.py capset get "$S_ADDR" 7003 2>"$T/err")"
	port=$((port + 1))
	run $mode python3 dropper.py capset serve $port >"$T/server" 2>&1 &
	disown
	until_true 40 is_served $addr $port
	check_eq "$mode: a server that gave up its capabilities" hello "$(echoed $addr $port)"
	check "$mode: it ends" end_all
	check_eq "$mode: no table is left" 0 "$(tables)"
done
check_eq "the kernel opened no connection" 0 "$(tcp_counter ActiveOpens)"
check_eq "the kernel accepted none" 0 "$(tcp_counter PassiveOpens)"

# With CAP_BPF an own address is reached from its own host, too.
setcap cap_net_raw,cap_net_admin,cap_bpf+ep "$T/plain/xtcp-run"
plain() { as_user "$T/plain/xtcp-run" --address "$OWN_ADDR/24" "$@"; }
check_eq "with CAP_BPF: the program has it, and what it is of use with" "0000008000003000 " \
	"$(plain cat /proc/self/status 2>"$T/err" | held)"
port=$((port + 1))
plain python3 dropper.py capset serve $port >"$T/server" 2>&1 &
disown
until_true 40 is_served $OWN_ADDR $port
check_eq "with CAP_BPF: a client on the same host, of a server that gave it up" hello \
	"$(echoed $OWN_ADDR $port "$C")"
check "with CAP_BPF: it ends" end_all
finish
