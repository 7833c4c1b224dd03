# SPDX-License-Identifier: BSD-2-Clause
#
# relay_lib.sh - transfers of xtcp and of the kernel over the same bad link; sourced after lib.sh.
#
#   namespace $C ($WHO: xtcp or the kernel)   namespace $R   namespace $S (the kernel)
#
#     $C_IF 10.99.0.1 --veth-- near [ tests/relay ] far --veth-- $S_IF 10.99.0.2
#
# The ends have their offloads off: what meets the link is one packet each (tests/relay.c).  Nothing
# is remembered of earlier connections (tcp_no_metrics_save).
#
# The kernel's TCP runs in the context of the relay, which has a real-time priority; so have the programs,
# or on a busy machine only one of the two would wait for a CPU with each round trip.

R=xtcp-r$$
RELAY=$top_builddir/tests/relay
XFER=$top_builddir/tests/xfer

net_wire() {
	ip netns add "$R" &&
	ip -n "$C" link add "$C_IF" type veth peer name near netns "$R" &&
	ip -n "$S" link add "$S_IF" type veth peer name far netns "$R" || return 1
	local ns
	for ns in "$C" "$S" "$R"; do
		ip netns exec "$ns" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
		ip netns exec "$ns" sysctl -q -w net.ipv4.tcp_no_metrics_save=1
	done
	ip -n "$R" link set near up &&
	ip -n "$R" link set far up &&
	ip netns exec "$C" ethtool -K "$C_IF" tx off gro off >/dev/null &&
	ip netns exec "$S" ethtool -K "$S_IF" tx off gro off >/dev/null
}

chrt -f 1 true 2>/dev/null && urgent="chrt -f 1" || urgent=

says() { grep -q "$1" "$2" 2>/dev/null; }

# link_up SEED UP DOWN: a link for connections to $port, and the next port; the relay's process is $relay.
link_up() {
	port=$(($(cat "$T/port" 2>/dev/null || echo 20000) + 1))   # in a file, as we may be in a subshell
	echo $port >"$T/port"
	: >"$T/relay"
	ip netns exec "$R" "$RELAY" -s "$1" -p $port near far "$2" "$3" >"$T/relay" 2>&1 &
	relay=$!
	until_true 5 says ready "$T/relay"
}

# What it had to leave out of its own accord (it says so) spoils the run.
link_down() {
	kill -TERM "$relay"
	wait "$relay" || { note "relay: $(cat "$T/relay")"; return 1; }
}

# in_turn WHO COMMAND...: a program of the client's namespace.
in_turn() {
	case $1 in
	kernel) shift; in_c $urgent timeout -k 5 "$LIMIT" "$@" ;;
	xtcp) shift; (sanitizer_env "$@" && exec ip netns exec "$C" $urgent timeout -k 5 "$LIMIT" "$XTCP_RUN" ${XTCP_ARGS:-} "$@") ;;
	esac
}

# transfer WHO DIRECTION SIDE ALGORITHM FILE: FILE goes up (WHO sends it) or down, over a connection
# that WHO opens (connect) or is given (listen).  Prints "Mbit/s retransmissions time-outs" and fails
# if what arrives isn't what was sent.
transfer() {
	local who=$1 dir=$2 side=$3 algorithm=$4 file=$5 addr=$S_ADDR far=listen near=$3 mine theirs sender
	local verb=send far_verb=recv near_file=$5 far_file=$T/arrived arrived=$T/arrived pid status=0
	[ "$side" = connect ] || { far=connect addr=$C_ADDR; }
	[ "$dir" = up ] || { verb=recv far_verb=send near_file=$T/arrived far_file=$file; }
	mine=$T/mine theirs=$T/theirs
	: >"$mine"; : >"$theirs"; : >"$arrived"
	if [ "$side" = connect ]; then
		in_s $urgent timeout -k 5 "$LIMIT" "$XFER" "$far_verb" listen "$addr" $port "$far_file" "$algorithm" >"$theirs" 2>&1 &
		pid=$!
		until_true 10 says ready "$theirs" && in_turn "$who" "$XFER" "$verb" connect "$addr" $port "$near_file" \
			"$algorithm" >"$mine" 2>"$T/err" || status=1
	else
		in_turn "$who" "$XFER" "$verb" listen "$addr" $port "$near_file" "$algorithm" >"$mine" 2>"$T/err" &
		pid=$!
		until_true 10 says ready "$mine" && in_s $urgent timeout -k 5 "$LIMIT" "$XFER" "$far_verb" connect "$addr" $port \
			"$far_file" "$algorithm" >"$theirs" 2>&1 || status=1
	fi
	# The other side of a connection that failed would wait for it.
	[ $status = 0 ] || kill -KILL $(ip netns pids "$C") $(ip netns pids "$S") 2>/dev/null
	wait $pid 2>/dev/null || status=1
	cmp -s "$file" "$arrived" || status=1
	[ $status = 0 ] || { note "$who $dir $side $algorithm: $(tail -n 2 "$T/err" "$mine" "$theirs")"; return 1; } >&2
	[ "$dir" = up ] && sender=$mine || sender=$theirs
	awk 'FNR == 1 { file++ } $1 == "bytes" && file == 1 { rate = $2 * 8 / $4 / 1e6 }
		$1 == "bytes" && file == 2 { print rate, $6, $8 }' "$mine" "$sender"
}

# one WHO DIRECTION SIDE ALGORITHM FILE SEED DATA ACKS: with a link of its own; DATA is what the
# bytes go over, ACKS the way back.
one() {
	local up=$7 down=$8 status=0
	[ "$2" = up ] || { up=$8 down=$7; }
	link_up "$6" "$up" "$down" || { note "no link: $(cat "$T/relay")" >&2; return 1; }
	transfer "$1" "$2" "$3" "$4" "$5" || status=1
	link_down >&2 || status=1
	return $status
}
