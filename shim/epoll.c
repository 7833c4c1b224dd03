/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll.c - see epoll.h.
 *
 * The kernel's set has the program's other descriptors, and is asked for them.  A registration of a socket of ours is
 * ours alone (epoll_set.h), without the kernel's object having to show anything, as long as nobody looks at the set
 * but epoll_wait() of the process that made it.  Rules:
 * - Who looks otherwise (from another set, poll(), another process, io_uring) sees objects alone: once
 *   somebody does, the kernel is given all registrations of the set, and those to come, and the sockets are mirrored (ready.h).
 *   So it is with a socket that is bridged, or becomes the kernel's.
 * - A set that was there at a fork() may be looked at by the child.  It finds in its copy of our memory which sockets had
 *   registrations there and fetches these (shared.h), which gives the registrations to the kernel; what is registered after
 *   the fork is the kernel's at once.
 * - The sleep is ours, so that the thread that waits drives the engine; it ends for the kernel's set, too.  A thread that finds
 *   something of ours each time it comes asks the kernel's set now and then.
 * - A handler may leave the call by siglongjmp(): nothing points into its frame.
 */
#include "epoll.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "eng.h"
#include "epoll_set.h"
#include "fdtab.h"
#include "log.h"
#include "ready.h"
#include "real.h"
#include "shared.h"
#include "signal.h"
#include "user.h"

#define KERNEL_EVERY 8            /* so many calls in a row that don't ask the kernel */
#define AT_ONCE 64                /* events that are collected with the lock held */
#define EXCLUSIVE_BITS (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

/* This thread's last calls. */
static __thread struct {
	uintptr_t set;
	unsigned streak;          /* those that didn't ask the kernel */
	bool was_kernels;         /* what was given last, with room for more */
} calls __attribute__((tls_model("initial-exec")));

/* ---- the kernel's registrations ---- */

/* Ours becomes the kernel's; in a child the parent's is not its to give. */
static void give(struct sock_reg *r, bool tells)
{
	struct epoll_event ev = { .events = r->events, .data.u64 = r->data };
	int epfd = tells ? fdtab_number_of(r->set) : -1;

	if (epoll_set_is_inherited(r->of)) {
		epoll_set_remove(r);
		return;
	}
	epoll_set_give(r);
	/* The number that was registered is closed, the socket has others. */
	if (fdtab_slot(r->fd) != (uintptr_t)r->s)
		r->fd = r->s->fd;
	if (epfd >= 0 && REAL(epoll_ctl)(epfd, EPOLL_CTL_ADD, r->fd, &ev) < 0)
		log_event(LOG_WARNING, "an epoll registration of fd %d was lost: %m", r->fd);
}

void epoll_give_all(struct sock *s, bool tells)
{
	struct sock_reg *r, *next;
	int err = errno;

	for (r = s->regs; r; r = next) {
		next = r->next;
		if (r->of)
			give(r, tells);
	}
	errno = err;
}

/* The kernel keeps those of another number, too, but by the file; ours can be found by the number alone. */
void epoll_drop_number(struct sock *s, int fd)
{
	bool is_last = !atomic_load(&s->numbers);
	struct sock_reg *r, *next;

	for (r = s->regs; r; r = next) {
		next = r->next;
		if (r->of ? is_last : r->fd == fd)
			epoll_set_remove(r);
	}
}

/* The oldest registration of the set is given to the kernel; stays, if that isn't possible.  The lock is held, but not
 * meanwhile. */
static void give_first(uintptr_t id)
{
	struct epoll_set *set = epoll_set_find(id);
	struct sock_reg *r = set ? epoll_set_first(set) : NULL;
	struct sock *s = r ? r->s : NULL;
	int fd, err;

	if (!s || !sock_get_unless_free(s))
		return;
	fd = r->fd;
	ready_unlock();
	err = ready_watch(s);
	ready_lock();
	r = epoll_set_reg(s, id, fd);
	if (r && r->of && (!err || epoll_set_is_inherited(r->of))) {
		give(r, true);
	} else if (r && r->of) {
		epoll_set_put_last(r);
		log_once(LOG_WARNING, "a TCP socket of an epoll set can't be shown to who polls the set: %s", strerror(-err));
	}
	ready_unlock();
	sock_put(s);
	ready_lock();
}

static unsigned count_own(uintptr_t id)
{
	struct epoll_set *set = epoll_set_find(id);

	return set ? epoll_set_count(set) : 0;
}

static void see(uintptr_t id)
{
	struct epoll_set *set;
	unsigned n;

	ready_lock();
	set = epoll_set_find(id);
	if (set)
		epoll_set_see(set);
	for (n = count_own(id); n; n--)
		give_first(id);
	ready_unlock();
}

void epoll_see(int fd)
{
	int err = errno;

	if (fdtab_is_epoll(fd)) {
		epoll_take(fd);
		see(fdtab_slot(fd));
	}
	errno = err;
}

void epoll_see_all(void)
{
	int fd;

	ready_lock();
	epoll_set_see_all();
	ready_unlock();
	for (fd = fdtab_next(0); fd >= 0; fd = fdtab_next(fd + 1))
		epoll_see(fd);
}

/* ---- in a child ---- */

/* The parent's engine bridges the socket, by which its registration there becomes the kernel's. */
static bool take_first(uintptr_t id)
{
	struct epoll_set *set = epoll_set_find(id);
	struct sock_reg *r = set && epoll_set_is_inherited(set) ? epoll_set_first(set) : NULL;
	struct sock *s = r ? r->s : NULL;

	if (!r)
		return false;
	epoll_set_remove(r);
	if (!sock_get_unless_free(s))
		return true;
	ready_unlock();
	if (shared_is_foreign(s))
		shared_take(s);
	sock_put(s);
	ready_lock();
	return true;
}

void epoll_take(int epfd)
{
	int err = errno;

	if (!epoll_set_any_inherited() || !fdtab_is_epoll(epfd))
		return;
	ready_lock();
	while (take_first(fdtab_slot(epfd)))
		;
	ready_unlock();
	errno = err;
}

void epoll_fork_forget(void)
{
	epoll_set_forked();
}

/* ---- epoll_ctl() ---- */

/* A registration of the kernel's, after it has agreed. */
static void record(struct sock *s, uintptr_t set, int op, int fd, const struct epoll_event *ev)
{
	struct sock_reg *r;

	ready_lock();
	r = epoll_set_reg(s, set, fd);
	if (op == EPOLL_CTL_DEL) {
		if (r)
			epoll_set_remove(r);
	} else {
		if (!r)
			r = epoll_set_add(s, set, NULL, fd, ev->events);
		if (r) {
			r->events = ev->events;
			r->data = ev->data.u64;
		}
	}
	ready_unlock();
}

static int ctl_kernel(struct sock *s, int epfd, int op, int fd, struct epoll_event *ev)
{
	uintptr_t set;
	int r = op == EPOLL_CTL_ADD ? ready_watch(s) : 0;

	if (r)
		return r;
	if (REAL(epoll_ctl)(epfd, op, fd, ev) < 0)
		return -errno;
	set = fdtab_epoll(epfd);
	if (set)
		record(s, set, op, fd, ev);
	/* Urgent data is shown to who asks for it, also when it was there before. */
	if (op != EPOLL_CTL_DEL && ev->events & EPOLLPRI && s->is_mirrored)
		eng_mirror(s, true);
	return 0;
}

/* Is it the kernel's to know?  A set of ours is, if somebody else may look at it; EPOLLWAKEUP is of its power management. */
static bool is_kernels(const struct sock *s, const struct epoll_set *set, const struct sock_reg *r, int op,
		       const struct epoll_event *ev)
{
	if (r)
		return !r->of;
	return !set || !s->es || atomic_load(&s->is_bridged) || op != EPOLL_CTL_ADD || !epoll_set_is_own(set) ||
	       ev->events & EPOLLWAKEUP;
}

/* do_epoll_ctl() with the lock held; 1: the engine is to tell what the socket is like. */
static int ctl_own(struct sock *s, uintptr_t id, struct epoll_set *set, struct sock_reg *r, int op, int fd,
		   const struct epoll_event *ev)
{
	bool is_exclusive = op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE;

	switch (op) {
	case EPOLL_CTL_ADD:
		if (is_exclusive && ev->events & ~(uint32_t)EXCLUSIVE_BITS)
			return -EINVAL;
		if (r)
			return -EEXIST;
		r = epoll_set_add(s, id, set, fd, ev->events);
		if (!r)
			return -ENOMEM;
		break;
	case EPOLL_CTL_MOD:
		if (is_exclusive || r->events & EPOLLEXCLUSIVE)
			return -EINVAL;
		break;
	case EPOLL_CTL_DEL:
		epoll_set_remove(r);
		return 0;
	default:
		return -EINVAL;
	}
	epoll_set_modify(r, ev);
	return 1;
}

/* The engine couldn't be asked.  Is the registration the kernel's by now? */
static int undo(struct sock *s, uintptr_t id, int op, int fd, int err)
{
	struct sock_reg *r;

	ready_lock();
	r = epoll_set_reg(s, id, fd);
	if (r && !r->of)
		err = 0;
	else if (r && op == EPOLL_CTL_ADD)
		epoll_set_remove(r);
	ready_unlock();
	return err;
}

int epoll_ctl_sock(struct sock *s, int epfd, int op, int fd, struct epoll_event *ev)
{
	uintptr_t id = fdtab_is_epoll(epfd) ? fdtab_slot(epfd) : 0;
	struct epoll_event given = { .events = 0 };
	struct epoll_set *set;
	struct sock_reg *reg;
	bool is_kernel;
	int r = 0;

	if (op != EPOLL_CTL_DEL && !user_get(&given, ev, sizeof(given)))
		return -EFAULT;
	epoll_take(epfd);
	ready_lock();
	set = id ? epoll_set_find(id) : NULL;
	reg = set ? epoll_set_reg(s, id, fd) : NULL;
	is_kernel = is_kernels(s, set, reg, op, &given);
	if (!is_kernel)
		r = ctl_own(s, id, set, reg, op, fd, &given);
	ready_unlock();
	if (is_kernel)
		return ctl_kernel(s, epfd, op, fd, op == EPOLL_CTL_DEL ? ev : &given);
	if (r <= 0)
		return r;
	r = ready_tell(s);
	return r ? undo(s, id, op, fd, r) : 0;
}

/* ---- epoll_wait() ---- */

/* The socket that the kernel has registered in the set with this datum, with a reference; NULL: none of ours. */
static struct sock *find_registered(uintptr_t set, uint64_t data)
{
	struct sock *s = NULL;
	struct sock_reg *r = NULL;
	int fd;

	for (fd = fdtab_next(0); fd >= 0 && !r; fd = fdtab_next(fd + 1)) {
		s = fdtab_get(fd);
		if (!s)
			continue;
		ready_lock();
		for (r = s->regs; r && (r->set != set || r->data != data || r->fd != fd || r->of);)
			r = r->next;
		ready_unlock();
		if (!r)
			sock_put(s);
	}
	return r ? s : NULL;
}

/* The events of one that the set gave, PRI and IN among them: without IN if there is only an urgent byte. */
static uint32_t correct(int epfd, const struct epoll_event *ev)
{
	uintptr_t set = fdtab_epoll(epfd);
	struct sock *s = set ? find_registered(set, ev->data.u64) : NULL;
	uint32_t events = ev->events;

	if (!s)
		return events;
	if (!(eng_events(s) & POLLIN))
		events &= ~(uint32_t)(EPOLLIN | EPOLLRDNORM);
	sock_put(s);
	return events;
}

static int ask_kernel(int epfd, struct epoll_event *ev, int n)
{
	int i, r = REAL(epoll_wait)(epfd, ev, n, 0);

	calls.streak = 0;
	calls.was_kernels = r > 0 && r < n;
	if (r < 0)
		return -errno;
	/* An object that shows urgent data is readable as well; is the connection? */
	for (i = 0; i < r; i++) {
		if ((ev[i].events & (EPOLLPRI | EPOLLIN)) == (EPOLLPRI | EPOLLIN))
			ev[i].events = correct(epfd, &ev[i]);
	}
	return r;
}

static void wake_another(void *id)
{
	struct epoll_set *set;

	ready_lock();
	set = epoll_set_find(*(uintptr_t *)id);
	if (set)
		epoll_set_wake(set);
	ready_unlock();
}

/* Ours, or -EFAULT. */
static int collect(uintptr_t id, struct epoll_event *ev, int n)
{
	unsigned max = MIN((unsigned)n, AT_ONCE), count = 0;
	bool can_write = user_can_write(ev, max * sizeof(*ev)), has_ready, has_more = false;
	struct epoll_event got[AT_ONCE];
	struct epoll_set *set;

	ready_lock();
	set = epoll_set_find(id);
	has_ready = set && epoll_set_has_ready(set);
	if (set && can_write)
		count = epoll_set_collect(set, got, max, &has_more);
	ready_unlock();
	if (has_ready && !can_write)
		return -EFAULT;
	memcpy(ev, got, count * sizeof(*ev));
	if (has_more)
		eng_inform(wake_another, &id);
	return (int)count;
}

/* Another thread is woken for what this one was woken for, and doesn't take. */
static void end_wait(void *unused)
{
	uintptr_t id;
	bool was_told;

	(void)unused;
	ready_lock();
	was_told = epoll_set_end_wait(&id);
	ready_unlock();
	if (was_told)
		eng_inform(wake_another, &id);
}

void epoll_interrupt(void)
{
	if (epoll_set_is_waiting())
		end_wait(NULL);
}

static int sleep_with(struct engine_news *news, struct pollfd *extra, xtime deadline, const sigset_t *mask)
{
	int r;

	pthread_cleanup_push(end_wait, NULL);
	r = eng_wait_news(news, NULL, 0, extra, 1, deadline, mask);
	pthread_cleanup_pop(0);
	return r;
}

/* The sleep: 0 or -errno.  *has_kernels: there is something in the kernel's set. */
static int sleep_once(int epfd, uintptr_t id, xtime deadline, const sigset_t *mask, bool *has_kernels)
{
	struct pollfd extra = { .fd = epfd, .events = POLLIN };
	struct engine_news *news = NULL;
	struct epoll_set *set;
	int r;

	ready_lock();
	set = id ? epoll_set_find(id) : NULL;
	if (set)
		news = epoll_set_begin_wait(set);
	ready_unlock();
	r = sleep_with(news, &extra, deadline, mask);
	*has_kernels = extra.revents;
	if (r < 0) {
		end_wait(NULL);
		return r;
	}
	ready_lock();
	epoll_set_end_wait(&id);
	ready_unlock();
	return 0;
}

/* The set's identity when there are registrations of ours in it (*has_some), or may be; else 0. */
static uintptr_t own_set(int epfd, int n, bool *has_some)
{
	uintptr_t id = fdtab_is_epoll(epfd) ? fdtab_slot(epfd) : 0;
	struct epoll_set *set;

	*has_some = false;
	if (!id || n <= 0)
		return 0;
	ready_lock();
	set = epoll_set_find(id);
	*has_some = set && epoll_set_has_some(set);
	if (!set || !(*has_some || epoll_set_is_own(set)))
		id = 0;
	ready_unlock();
	return id;
}

/* Both kinds, the kernel's first if they are asked for first; or -errno. */
static int look(int epfd, uintptr_t id, struct epoll_event *ev, int n, bool asks_first, bool asks)
{
	int kernels = asks_first ? ask_kernel(epfd, ev, n) : 0, ours;

	if (kernels < 0 || kernels == n)
		return kernels;
	ours = id ? collect(id, ev + kernels, n - kernels) : 0;
	if (ours < 0)
		return kernels ? kernels : ours;
	if (ours || asks_first || !asks)
		return kernels + ours;
	return ask_kernel(epfd, ev, n);
}

int epoll_call(int epfd, struct epoll_event *ev, int n, xtime deadline, const sigset_t *mask)
{
	bool is_over = deadline <= 0, asks = false, asks_first;
	uintptr_t id;
	int r;

	if (!user_has_mask(mask))
		return -EFAULT;
	signal_begin_call();
	id = own_set(epfd, n, &asks_first);
	asks_first = !asks_first || calls.set != id || calls.was_kernels || calls.streak >= KERNEL_EVERY;
	calls.set = id;
	calls.streak++;
	r = look(epfd, id, ev, n, asks_first, false);
	if (r)
		return r;
	eng_look();
	for (;;) {
		r = look(epfd, id, ev, n, !id, asks || is_over);
		if (r || is_over)
			return r;
		r = sleep_once(epfd, id, deadline, mask, &asks);
		if (r)
			return r;
		is_over = engine_now() >= deadline;
	}
}
