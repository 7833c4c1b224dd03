#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# xtcp-run refuses what can't work: one sentence, exit status 2 (127 and 126 for a command that
# isn't there or can't be run), nothing started.  Needs no root; what only root can set up is
# skipped without it.
set -u
LC_ALL=C
export LC_ALL
run=$top_builddir/xtcp-run
T=$(mktemp -d "${TMPDIR:-/tmp}/xtcp-test.XXXXXX") || exit 99
trap 'rm -rf "$T"' EXIT
chmod 755 "$T"
unset "${!XTCP_@}"
. "$top_srcdir/tests/tap.sh"
[ -x "$run" ] || skip_all "xtcp-run isn't built"

# refused NAME STATUS PATTERN COMMAND...: it exits so, with one line that matches.
refused() {
	local name=$1 wanted=$2 pattern=$3
	shift 3
	rm -f "$T/started"
	"$@" >"$T/out" 2>"$T/err" </dev/null
	local got=$?
	[ $got = "$wanted" ] || echo "# exit status $got, not $wanted"
	[ $got = "$wanted" ] && [ "$(wc -l <"$T/err")" = 1 ] && grep -qE -- "$pattern" "$T/err" &&
		[ ! -s "$T/out" ] && [ ! -e "$T/started" ]
	report $? "$name"
}
start=(touch "$T/started")

# ---- the command line ----
refused "no command" 2 'no command' "$run"
refused "no command after --" 2 'no command' "$run" --
refused "an unknown option names it and the others" 2 '--colour .*--interface.*--address.*--log' \
	"$run" --colour "${start[@]}"
refused "an unknown short option" 2 '-z is not an option' "$run" -z "${start[@]}"
refused "an unknown short option after a good one" 2 '-z is not an option' \
	"$run" -i lo -z "${start[@]}"
refused "an option without its value" 2 '--interface needs a value' "$run" -i
refused "a long option without its value" 2 '--address needs a value' "$run" --address
refused "a value for an option that has none" 2 '--stats takes no value' "$run" --stats=1 "${start[@]}"

# ---- values ----
refused "an address that is none" 2 '10\.0\.0" .*address' "$run" -a 10.0.0 "${start[@]}"
refused "a prefix length that is none" 2 '10\.0\.0\.9/33' "$run" -a 10.0.0.9/33 "${start[@]}"
refused "the second address of a list" 2 'x/24' "$run" -a 10.0.0.9/24,x/24 "${start[@]}"
refused "a gateway that is none" 2 'here.*gateway' "$run" -g here "${start[@]}"
refused "a route that is none" 2 '10\.1' "$run" --route 10.1 "${start[@]}"
refused "a MAC that is none" 2 'mac.*02:00' "$run" -a 10.0.0.9/24 --mac 02:00 "${start[@]}"
refused "a log level names the others" 2 'loud.*error.*warn.*info.*debug' "$run" -l loud "${start[@]}"
refused "a congestion control that isn't there" 2 'vegas.*cubic' "$run" --congestion vegas "${start[@]}"
refused "a setting that isn't there" 2 'no setting tcp_teapot' "$run" --sysctl tcp_teapot=1 "${start[@]}"
refused "the second setting's value" 2 '700.*tcp_sack' "$run" --sysctl tcp_frto=0 --sysctl tcp_sack=700 "${start[@]}"
refused "a setting without a value" 2 'tcp_sack.*sysctl' "$run" --sysctl tcp_sack "${start[@]}"
refused "the same by its variable" 2 'loud' env XTCP_LOG=loud "$run" "${start[@]}"

refused "a rule that is none" 2 'policy.*drop.*kernel' "$run" --policy 'xtcp; drop' "${start[@]}"

# ---- the configuration file ----
refused "a file that isn't there" 2 'none\.conf' "$run" -c "$T/none.conf" "${start[@]}"
printf 'interface = lo\ncolour = blue\n' >"$T/a.conf"
refused "an unknown key names it and the others" 2 'colour.*interface' "$run" -c "$T/a.conf" "${start[@]}"
printf 'log = loud\n' >"$T/b.conf"
refused "a bad value in a file" 2 'loud' "$run" -c "$T/b.conf" "${start[@]}"

refused "--spin for longer than a second" 2 '1000001.*spin.*microseconds' "$run" --spin=1000001 "${start[@]}"
refused "--spin with a value that is none" 2 '20ms.*spin.*microseconds' "$run" --spin=20ms "${start[@]}"

# ---- the capture ----
refused "a capture in a directory that isn't there" 2 'none/x.pcap.*No such' \
	"$run" -w "$T/none/x.pcap" "${start[@]}"
refused "a capture that is a directory's name" 2 'directory' "$run" -w "$T/" "${start[@]}"

# ---- the network ----
refused "an interface that isn't there names those that are" 2 'nosuch0.*lo' \
	"$run" -i nosuch0 "${start[@]}"

# ---- the program ----
refused "a program that isn't there" 127 'no-such-program' env PATH=/usr/bin:/bin "$run" no-such-program
refused "a path that isn't there" 127 "$T/none" "$run" "$T/none"
touch "$T/plain"
refused "a file that isn't executable" 126 "$T/plain.*ermission" "$run" "$T/plain"
refused "a directory" 126 "ermission" "$run" "$T"
echo 'int main(void) { return 0; }' >"$T/static.c"
if ${CC:-cc} -static -o "$T/static" "$T/static.c" 2>/dev/null; then
	refused "a statically linked program" 2 'statically' "$run" "$T/static"
	printf '#!%s\n' "$T/static" >"$T/script"
	chmod 755 "$T/script"
	refused "a script for one" 2 'statically' "$run" "$T/script"
else
	skip "a statically linked program" "there is no static libc"
	skip "a script for one" "there is no static libc"
fi

printf '#!%s -x\n' "$T/none" >"$T/orphan" && chmod 755 "$T/orphan"
refused "a script whose interpreter isn't there" 127 "orphan.*$T/none" "$run" "$T/orphan"
{ printf '\177ELF\001\001\001'; head -c 200 /dev/zero; } >"$T/elf32" && chmod 755 "$T/elf32"
refused "a program of another ELF class" 2 "elf32 is for another machine" "$run" "$T/elf32"
printf '#! %s\n' "$T/elf32" >"$T/script32" && chmod 755 "$T/script32"
refused "a script for one" 2 "elf32 is for another machine" "$run" "$T/script32"

# ---- privileges: as nobody, who owns nothing and has no capability ----
if [ "$(id -u)" != 0 ]; then
	as_nobody=()
elif command -v setpriv >/dev/null; then
	as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
# The programs must be within nobody's reach.
refused "a control directory that isn't there" 2 'control sockets' "$run" -i lo -a 10.0.0.9/24 --control "$T/none" true

cp "$run" "$T/xtcp-run"
cp "$top_builddir/.libs/libxtcp.so" "$T/" 2>/dev/null
if [ -n "${as_nobody+x}" ] && "${as_nobody[@]}" test -x "$T/xtcp-run" 2>/dev/null; then
	refused "without CAP_NET_RAW" 2 'CAP_NET_RAW.*root' \
		"${as_nobody[@]}" "$T/xtcp-run" -i lo -a 10.0.0.9/24 true
	su=$(command -v su || echo /bin/su)
	if [ -u "$su" ] && [ -r "$su" ]; then
		refused "a setuid program" 2 'setuid' "${as_nobody[@]}" "$T/xtcp-run" -i lo "$su"
	else
		skip "a setuid program" "su isn't setuid"
	fi
	# privileged NAME WORD PREPARE...: a program that the last words have prepared, and a script for it.
	privileged() {
		local name=$1 word=$2 file=$T/privileged
		shift 2
		rm -f "$file"
		cp "$(command -v cat)" "$file" && chmod 755 "$file"
		if "$@" "$file" 2>"$T/err"; then
			printf '#!%s\n' "$file" >"$T/for_it" && chmod 755 "$T/for_it"
			refused "a program that $name" 2 "privileged $word, so .* preloaded" "${as_nobody[@]}" "$T/xtcp-run" "$file"
			refused "a script for a program that $name" 2 "privileged $word, so .* preloaded" \
				"${as_nobody[@]}" "$T/xtcp-run" "$T/for_it"
		else
			skip "a program that $name" "$(head -n 1 "$T/err")"
			skip "a script for a program that $name" "as above"
		fi
	}
	if [ "$(id -u)" = 0 ] && ! findmnt -no OPTIONS -T "$T" 2>/dev/null | grep -q nosuid; then
		privileged "is set-user-ID" "is setuid" chmod 4755
		privileged "is set-group-ID" "is setgid" chmod 2755
		privileged "has capabilities" "has file capabilities" setcap cap_net_bind_service+ep
		# ld.so refuses it without a word: the kernel's TCP is what such a program has.
		chmod 4755 "$T/privileged" && setcap -r "$T/privileged" 2>/dev/null
		"${as_nobody[@]}" env LD_PRELOAD="$T/libxtcp.so" "$T/privileged" /proc/self/maps >"$T/out" 2>"$T/err"
		[ $? = 0 ] && grep -q privileged "$T/out" && ! grep -q libxtcp "$T/out"
		report $? "LD_PRELOAD alone has no effect on one"
	else
		skip "privileged programs" "not root, or a nosuid file system"
	fi
else
	skip "without CAP_NET_RAW" "no way to become nobody"
	skip "a setuid program" "no way to become nobody"
fi

# ---- what is no error ----
"$run" --help >"$T/out" 2>"$T/err"
[ $? = 0 ] && grep -q -- --congestion "$T/out" && [ ! -s "$T/err" ]
report $? "--help lists the options on stdout"
"$run" --version >"$T/out" 2>"$T/err"
[ $? = 0 ] && grep -q '^xtcp-run [0-9]' "$T/out"
report $? "--version"
finish
