/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confine.c - see confine.h.
 *
 * A worker that has its connections may confine itself to the few calls that it makes itself (read, write, futex, exit).  The
 * engine makes others, in the program's threads, too, and more of them at the end, so that the first of them would be the
 * process's last.  So the filter is run over the engine's calls before the kernel gets it.  If one of them wouldn't pass, all
 * sockets are bridged and the engine goes on in a keeper (process_hand_over()): what the program does with its
 * sockets from then on are its own system calls, and at its end there is nothing to do.
 *
 * `needed` has what an engine does with sockets that it has, and at the end; doc/architecture.md says when.
 */
#include "confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "bridge.h"
#include "eng.h"
#include "process.h"
#include "rawcall.h"
#include "user.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define ARCH AUDIT_ARCH_RISCV64
#else
#define ARCH 0u                         /* what a filter says of it is a refusal, most likely */
#endif

static const struct {
	int nr;
	uint64_t args[3];
} needed[] = {
	/* frames, wakes, sleeps */
	{ SYS_recvmsg, { 0 } }, { SYS_recvmmsg, { 0 } }, { SYS_sendmsg, { 0 } }, { SYS_sendmmsg, { 0 } },
	{ SYS_sendto, { 0 } }, { SYS_recvfrom, { 0 } }, { SYS_read, { 0 } }, { SYS_write, { 0 } }, { SYS_ppoll, { 0 } },
	{ SYS_epoll_ctl, { 0 } }, { SYS_epoll_pwait, { 0 } }, { SYS_timerfd_settime, { 0 } }, { SYS_futex, { 0 } },
	{ SYS_eventfd2, { 0 } }, { SYS_rt_sigprocmask, { 0 } }, { SYS_ioctl, { 0 } }, { SYS_clock_gettime, { 0 } },
	/* ports, mirrors and bridges */
	{ SYS_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP } },
	{ SYS_socket, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 } }, { SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0 } },
	{ SYS_bind, { 0 } }, { SYS_connect, { 0 } }, { SYS_listen, { 0 } }, { SYS_accept4, { 0 } }, { SYS_setsockopt, { 0 } },
	{ SYS_getsockopt, { 0 } }, { SYS_getsockname, { 0 } }, { SYS_getpeername, { 0 } }, { SYS_shutdown, { 0 } },
	{ SYS_fcntl, { 0 } }, { SYS_dup3, { 0 } }, { SYS_close, { 0 } }, { SYS_prlimit64, { 0 } },
	/* memory and the end */
	{ SYS_mmap, { 0 } }, { SYS_munmap, { 0 } }, { SYS_getpid, { 0 } }, { SYS_gettid, { 0 } }, { SYS_clone, { 0 } },
	{ SYS_wait4, { 0 } }, { SYS_rt_sigaction, { 0 } }, { SYS_tgkill, { 0 } }, { SYS_newfstatat, { 0 } }, { SYS_exit_group, { 0 } },
};

/* ---- the filter ---- */

struct machine {
	uint32_t a, x, mem[BPF_MEMWORDS];
	struct seccomp_data data;
};

static bool load(struct machine *m, const struct sock_filter *f, uint32_t *to)
{
	switch (BPF_MODE(f->code)) {
	case BPF_IMM:
		*to = f->k;
		return true;
	case BPF_LEN:
		*to = sizeof(m->data);
		return true;
	case BPF_MEM:
		if (f->k >= BPF_MEMWORDS)
			return false;
		*to = m->mem[f->k];
		return true;
	case BPF_ABS:
		if (f->k % 4 || f->k >= sizeof(m->data))
			return false;
		memcpy(to, (const char *)&m->data + f->k, sizeof(*to));
		return true;
	}
	return false;
}

static bool compute(struct machine *m, const struct sock_filter *f)
{
	uint32_t v = BPF_SRC(f->code) == BPF_X ? m->x : f->k;

	switch (BPF_OP(f->code)) {
	case BPF_ADD: m->a += v; return true;
	case BPF_SUB: m->a -= v; return true;
	case BPF_MUL: m->a *= v; return true;
	case BPF_DIV: m->a = v ? m->a / v : 0; return v != 0;
	case BPF_OR: m->a |= v; return true;
	case BPF_AND: m->a &= v; return true;
	case BPF_XOR: m->a ^= v; return true;
	case BPF_LSH: m->a = v < 32 ? m->a << v : 0; return true;
	case BPF_RSH: m->a = v < 32 ? m->a >> v : 0; return true;
	case BPF_NEG: m->a = -m->a; return true;
	}
	return false;
}

/* How many instructions to skip. */
static uint32_t jump(const struct machine *m, const struct sock_filter *f)
{
	uint32_t v = BPF_SRC(f->code) == BPF_X ? m->x : f->k;

	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return m->a == v ? f->jt : f->jf;
	case BPF_JGT:
		return m->a > v ? f->jt : f->jf;
	case BPF_JGE:
		return m->a >= v ? f->jt : f->jf;
	case BPF_JSET:
		return m->a & v ? f->jt : f->jf;
	default:
		return f->k;            /* BPF_JA */
	}
}

/* What it says; of one that the kernel wouldn't take, a refusal. */
static uint32_t run(const struct sock_fprog *p, struct machine *m)
{
	const struct sock_filter *f;
	bool is_good = true;
	uint32_t i;

	for (i = 0; is_good && i < p->len; i++) {
		f = &p->filter[i];
		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			is_good = load(m, f, &m->a);
			break;
		case BPF_LDX:
			is_good = load(m, f, &m->x);
			break;
		case BPF_ST:
		case BPF_STX:
			is_good = f->k < BPF_MEMWORDS;
			if (is_good)
				m->mem[f->k] = BPF_CLASS(f->code) == BPF_ST ? m->a : m->x;
			break;
		case BPF_ALU:
			is_good = compute(m, f);
			break;
		case BPF_JMP:
			i += jump(m, f);
			break;
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? m->a : f->k;
		default:
			if (BPF_MISCOP(f->code) == BPF_TAX)
				m->x = m->a;
			else
				m->a = m->x;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static bool passes(uint32_t verdict)
{
	verdict &= SECCOMP_RET_ACTION_FULL;
	return verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_LOG;
}

/* Do the engine's system calls pass? */
static bool suits(const struct sock_fprog *filter)
{
	struct machine m;
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		memset(&m, 0, sizeof(m));
		m.data.nr = needed[i].nr;
		m.data.arch = ARCH;
		memcpy(m.data.args, needed[i].args, sizeof(needed[i].args));
		if (!passes(run(filter, &m)))
			return false;
	}
	return true;
}

/* ---- */

/* Would the kernel take it? */
static bool is_whole(const struct sock_fprog *f)
{
	return user_can_read(f, sizeof(*f)) && f->len && f->len <= BPF_MAXINSNS &&
	       user_can_read(f->filter, f->len * sizeof(*f->filter)) &&
	       (raw_syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || eng_has_cap(CAP_SYS_ADMIN));
}

/* NULL: the mode of four calls. */
static void prepare(const struct sock_fprog *filter)
{
	int err = errno;

	if (atomic_load(&eng_current) && !process_is_vfork_child() && (!filter || (is_whole(filter) && !suits(filter)))) {
		bridge_all();
		process_hand_over();
	}
	errno = err;
}

void confine_before_seccomp(unsigned op, const void *args)
{
	if (op == SECCOMP_SET_MODE_STRICT)
		prepare(NULL);
	else if (op == SECCOMP_SET_MODE_FILTER && args)
		prepare(args);
}
