#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# All socket calls at random from many threads, with signals, forks, cancellations and closes, for some seconds a
# seed; over the kernel, too, so that what is judged is what it does.  tests/stress-run is the same for as long as one
# likes; tests/stress.c says what is checked.
. "$(dirname "$0")/stress_lib.sh"
need
net_up
stress_peer || exit 99
case " ${SANITIZERS:-} " in
*" tsan "*) ;;                  # to which a number that is closed while it is used is a race
*) stress kernel 1 1 16 ;;
esac
stress shared 1 3 16
stress shared 2 2 8
stress own 3 3 16
# One processor: whoever waits lets the others go on.
stress shared 4 2 16 taskset -c 0
stress own 5 1 40 taskset -c 0
finish
