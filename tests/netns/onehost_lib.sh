# SPDX-License-Identifier: BSD-2-Clause
#
# onehost_lib.sh - servers and clients of one host, by onehost.py; for onehost.sh and ownhost.sh, after lib.sh.

# Programs over xtcp without an end of their own, as they serve a good part of a script.
over_xtcp() { (sanitizer_env "$@" && exec ip netns exec "$C" "$XTCP_RUN" "$@"); }
# serve MODE ADDRESS PORT: what it says; it stays.  MODE is kernel, outside, shared, own, or a command that
# puts a program over xtcp.  What it logs is in $T/served.
serve() {
	local mode=$1
	local -a run=("$mode")
	shift
	case $mode in
	kernel) run=(in_c) ;;
	outside) run=(in_s) ;;
	shared) run=(over_xtcp) ;;
	own) run=(over_xtcp --address "$OWN_ADDR/24") ;;
	esac
	: >"$T/said"
	"${run[@]}" python3 "$here/onehost.py" serve "$@" </dev/null >"$T/said" 2>"$T/served" &
	disown
	until_true 10 test -s "$T/said"
	cat "$T/said"
}
# end PORT: kill -9 for those who serve there.
end() { pids_like "onehost.py serve .* $1\$" | xargs -r kill -KILL 2>/dev/null; }
# ask MODE ADDRESS PORT [BIND]: "ok", or the error; asks MODE ADDRESS:PORT...: of each.
ask() { question ask "$@"; }
asks() { question asks "$@"; }
question() {
	local -a ask=(python3 "$here/onehost.py" "$1" "${@:3}")
	case $2 in
	kernel) in_c timeout 20 "${ask[@]}" 2>"$T/err" ;;
	outside) in_s timeout 20 "${ask[@]}" 2>"$T/err" ;;
	shared | own) xt "$2" "${ask[@]}" ;;
	*) "$2" "${ask[@]}" ;;
	esac
}
