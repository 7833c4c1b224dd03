# SPDX-License-Identifier: BSD-2-Clause
#
# stress_lib.sh - runs tests/stress in the namespaces of lib.sh; sourced, never run.
. "${BASH_SOURCE[0]%/*}/lib.sh"

STRESS=$top_builddir/tests/stress
is_instrumented=yes

# The kernel's side, for all addresses that the program under test may have.
stress_peer() {
	local addr
	for addr in $C_ADDR $OWN_ADDR; do
		port=$([ $addr = $C_ADDR ] && echo 7000 || echo 7100)
		server "$S" "$port" "$STRESS" peer "$port" "$addr" 7300 || return 1
	done
}

# What there is, for who looks into why.
who_is_left() {
	local p
	for p in $(ip netns pids "$C"); do
		note "left: $p $(tr '\0' ' ' <"/proc/$p/cmdline") ($(cat "/proc/$p/comm"), $(cat "/proc/$p/wchan"))"
	done
}


no_rule_left() { [ -z "$(in_c nft list tables 2>/dev/null)" ]; }

# stress MODE SEED SECONDS THREADS [COMMAND...]: one run, in MODE shared, own, or kernel; COMMAND starts it.
stress() {
	local mode=$1 seed=$2 seconds=$3 threads=$4 port=7000
	shift 4
	[ "$mode" != own ] || port=7100
	set -- "$@" "$STRESS" run $S_ADDR $port 7300 "$seed" "$seconds" "$threads"
	case $mode in
	shared) set -- "$XTCP_RUN" "$@" ;;
	own) set -- "$XTCP_RUN" --address "$OWN_ADDR/24" "$@" ;;
	esac
	(sanitizer_env "$@" && XTCP_LOG=${XTCP_LOG:-error} exec ip netns exec "$C" timeout -k 10 $((seconds + 200)) "$@") >"$T/out" 2>"$T/err" &
	wait $!
	set -- $?
	sed 's/^/#   /' "$T/err"
	: >"$T/err"
	report "$1" "$mode, seed $seed: $threads threads, $seconds seconds"
	cat "$T/out"
	[ "$mode" != kernel ] || return
	until_true 60 nobody_left || who_is_left
	check "$mode, seed $seed: no process is left" nobody_left
	# The kernel takes the last of a process down after its namespaces.
	check "$mode, seed $seed: no rule is left" until_true 10 no_rule_left
}
