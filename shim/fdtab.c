/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdtab.c - a two-level table; pages are added without a lock and never taken away.
 */
#include "fdtab.h"

#include <errno.h>
#include <sys/mman.h>

_Atomic(_Atomic(uintptr_t) *) fdtab_pages[FDTAB_PAGES];
static _Atomic(uintptr_t) next_epoll = 1;

#define PAGE_BYTES (FDTAB_PAGE_FDS * sizeof(_Atomic(uintptr_t)))

static _Atomic(uintptr_t) *page_new(unsigned i)
{
	_Atomic(uintptr_t) *none = NULL, *page;

	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (atomic_compare_exchange_strong(&fdtab_pages[i], &none, page))
		return page;
	munmap(page, PAGE_BYTES);
	return none;
}

static _Atomic(uintptr_t) *slot_of(int fd)
{
	_Atomic(uintptr_t) *page;

	if ((unsigned)fd >= FDTAB_PAGES * FDTAB_PAGE_FDS)
		return NULL;
	page = atomic_load(&fdtab_pages[fd / FDTAB_PAGE_FDS]);
	if (!page)
		page = page_new((unsigned)fd / FDTAB_PAGE_FDS);
	return page ? &page[fd % FDTAB_PAGE_FDS] : NULL;
}

/* The socket may be closed, freed and taken for another fd between the look and the
 * reference: then the slot has changed. */
struct sock *fdtab_get_slow(int fd)
{
	for (;;) {
		uintptr_t v = fdtab_slot(fd);
		struct sock *s = (struct sock *)v;

		if (!v || v & FDTAB_KIND)
			return NULL;
		if (!sock_get_unless_free(s))
			continue;
		if (fdtab_slot(fd) == v)
			return s;
		sock_put(s);
	}
}

int fdtab_put(int fd, struct sock *s)
{
	_Atomic(uintptr_t) *slot = slot_of(fd);
	uintptr_t had;

	if (!slot)
		return (unsigned)fd >= FDTAB_PAGES * FDTAB_PAGE_FDS ? -EMFILE : -ENOMEM;
	atomic_fetch_add(&s->numbers, 1);
	had = atomic_exchange(slot, (uintptr_t)s);
	/* Two threads made the same number theirs at once. */
	if (had && !(had & FDTAB_KIND)) {
		atomic_fetch_sub(&((struct sock *)had)->numbers, 1);
		sock_put((struct sock *)had);
	}
	return 0;
}

struct sock *fdtab_clear(int fd)
{
	_Atomic(uintptr_t) *slot;
	uintptr_t v;

	if (!fdtab_slot(fd))
		return NULL;
	slot = slot_of(fd);
	v = atomic_exchange(slot, 0);
	if (!v || v & FDTAB_KIND)
		return NULL;
	atomic_fetch_sub(&((struct sock *)v)->numbers, 1);
	return (struct sock *)v;
}

void fdtab_clear_all(struct sock *s)
{
	struct sock *had;
	int fd;

	for (fd = fdtab_next(0); fd >= 0; fd = fdtab_next(fd + 1)) {
		if (fdtab_slot(fd) != (uintptr_t)s)
			continue;
		had = fdtab_clear(fd);
		if (had)
			sock_put(had);
	}
}

void fdtab_mark_internal(int fd)
{
	_Atomic(uintptr_t) *slot = slot_of(fd);

	if (slot)
		atomic_store(slot, FDTAB_INTERNAL);
}

void fdtab_unmark_internal(int fd)
{
	uintptr_t v = FDTAB_INTERNAL;

	if (fdtab_slot(fd) == v)
		atomic_compare_exchange_strong(slot_of(fd), &v, 0);
}

uintptr_t fdtab_epoll(int fd)
{
	_Atomic(uintptr_t) *slot = slot_of(fd);
	uintptr_t v = slot ? atomic_load(slot) : 0;

	if (!v && slot) {
		v = atomic_fetch_add(&next_epoll, 1) << 2 | FDTAB_EPOLL;
		atomic_store(slot, v);
	}
	return v;
}

bool fdtab_is_epoll(int fd)
{
	return (fdtab_slot(fd) & FDTAB_KIND) == FDTAB_EPOLL;
}

void fdtab_copy(int from, int to)
{
	_Atomic(uintptr_t) *slot = fdtab_is_epoll(from) ? slot_of(to) : NULL;

	if (slot)
		atomic_store(slot, fdtab_slot(from));
}

int fdtab_next(int from)
{
	int fd, page;

	for (page = from / FDTAB_PAGE_FDS; page < FDTAB_PAGES; page++) {
		if (!atomic_load(&fdtab_pages[page]))
			continue;
		fd = page * FDTAB_PAGE_FDS;
		if (fd < from)
			fd = from;
		for (; fd < (page + 1) * FDTAB_PAGE_FDS; fd++) {
			if (fdtab_slot(fd))
				return fd;
		}
	}
	return -1;
}

int fdtab_number_of(uintptr_t slot)
{
	int fd = fdtab_next(0);

	while (fd >= 0 && fdtab_slot(fd) != slot)
		fd = fdtab_next(fd + 1);
	return fd;
}
