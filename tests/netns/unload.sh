#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Libraries that use sockets until they are unloaded, by dlclose() or at the end of the program, and libxtcp.so as such a
# library itself; what stays in streams until then (plugin.c, over both; topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3
case " ${SANITIZERS:-} " in *" asan "*) skip_all "a sanitizer's run-time can't be loaded late" ;; esac
net_up
serve_tcp 7003 echo || exit 99
serve_tcp 7004 recv "$T/received" || exit 99
export SERVER_ADDR=$S_ADDR SERVER_PORT=7003

CC=${CC:-cc}
{ $CC -O1 -Wall -fPIC -shared -DPLUGIN -o "$T/libplugin.so" "$here/plugin.c" -pthread &&
	$CC -O1 -Wall -DLINKED -o "$T/linked" "$here/plugin.c" -L"$T" -lplugin -Wl,-rpath,"$T" -ldl -pthread &&
	$CC -O1 -Wall -o "$T/plugin" "$here/plugin.c" -ldl -pthread; } 2>"$T/err" ||
	skip_all "no C compiler: $(head -n 1 "$T/err")"

# alike NAME COMMAND...: says the same over both, and ends with the same status.
alike() {
	local name=$1 mode
	shift
	in_c timeout 60 "$@" >"$T/kernel" 2>&1
	echo "status $?" >>"$T/kernel"
	for mode in shared own; do
		xt $mode -l error "$@" >"$T/xtcp"
		echo "status $?" >>"$T/xtcp"
		diff "$T/kernel" "$T/xtcp" >>"$T/err"
		report $? "$mode: $name"
	done
}

alike "a library that the program is linked with" "$T/linked" linked
alike "one that is loaded and unloaded" "$T/plugin" loaded "$T/libplugin.so"

# Over the kernel these two are libc itself, which stays as well.
libc=$(ldd "$T/plugin" | awk '$1 ~ /^libc\.so/ { print $3 }')
for what in library inside; do
	in_c timeout 60 "$T/plugin" $what "$libc" >"$T/kernel" 2>&1
	opens=$(tcp_counter ActiveOpens)
	in_c timeout 60 "$T/plugin" $what "$LIBXTCP" >"$T/xtcp" 2>&1
	diff "$T/kernel" "$T/xtcp" >"$T/err"
	report $? "dlopen() of libxtcp.so: $what"
	[ $what = library ] && opens=$((opens + 1))   # its last connection is the program's own
	check_eq "dlopen() of libxtcp.so: $what: its connections are not the kernel's" $opens "$(tcp_counter ActiveOpens)"
done

# What stays in a stream is written by exit(), after all destructors.
arrived() { [ "$(sort "$T/received" | tr '\n' ,)" = "another,one left in its stream," ]; }
for mode in kernel shared own; do
	: >"$T/received"
	if [ $mode = kernel ]; then
		in_c timeout 60 env SERVER_PORT=7004 "$T/plugin" stdio >"$T/err" 2>&1
	else
		SERVER_PORT=7004 xt $mode "$T/plugin" stdio
	fi
	check "$mode: what streams hold at exit() arrives" until_true 10 arrived
done
check "nobody is left" until_true 10 nobody_left
finish
