/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shim_wire.c - the wire of the shim's tests on the real engine:
 *
 *      nameless namespace of the test                 nameless namespace of the peer
 *      v0  10.98.0.1/24 -------------veth------------ v0  10.98.0.2/24
 *      kernel's sockets, and ours on the same address  the kernel's listeners
 *
 * Both end with the process.
 */
#include "shim_peer.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct side_wire side_wire = { -1, "10.98.0.2", "10.98.0.2", "10.98.0.1", "10.98.0.1" };

static void run(const char *command)
{
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		exit(99);
	}
}

static int enter_new(void)
{
	if (unshare(CLONE_NEWNET)) {
		puts("skip: network namespaces need root");
		exit(77);
	}
	run("ip link set lo up");
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

void side_prepare(void)
{
	char command[128];
	int here;

	side_wire.ns = enter_new();
	here = enter_new();
	snprintf(command, sizeof(command),
		 "ip link add v0 type veth peer name v0 netns /proc/%d/fd/%d", (int)getpid(),
		 side_wire.ns);
	run(command);
	run("ip addr add 10.98.0.1/24 dev v0 && ip link set v0 up");
	if (setns(side_wire.ns, CLONE_NEWNET))
		exit(99);
	run("ip addr add 10.98.0.2/24 dev v0 && ip link set v0 up");
	if (setns(here, CLONE_NEWNET))
		exit(99);
	run("ip route add default via 10.98.0.2");
	close(here);
}
