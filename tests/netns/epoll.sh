#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What epoll_wait() gives over xtcp is what it gives over the kernel (epoll.py), also where the kernel's set knows nothing
# of sockets (shim/epoll.c), and somebody else then looks at the set.
. "$(dirname "$0")/lib.sh"
need python3
net_up
server "$S" 7020 python3 "$here/epoll.py" serve 7020 || exit 99

see() { "$@" python3 "$here/epoll.py" see "$S_ADDR" 7020 $steps 2>&1; }
same() { see "$@" >"$T/seen"; diff "$T/kernel" "$T/seen"; }

# A program of its own for each that looks at a set in another way: the kernel's set has the sockets from then on.
for steps in "level edge modify oneshot end many fair level" second polled selected nested nested_before forked asleep; do
	see in_c >"$T/kernel" || report 1 "the kernel: $steps"
	for mode in shared own; do
		check "$mode: $steps" same xt "$mode"
	done
done
finish
