/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap.c - writes what passes to a capture file.
 *
 * libpcap.so pulls in libraries that no program asked for, and its symbols must not
 * meet the program's own copy: it is loaded by dlopen, kept local, only for the calls that
 * write a file.
 *
 * A frame is written when it was taken by the interface or came from it, with the
 * time of that call.  After each batch the file is flushed: it can be read at any moment,
 * and a process that is killed has lost nothing of it.
 *
 * A checksum that is left to the interface (virtio's NEEDS_CSUM) is completed in the copy; a
 * super-frame is one packet whose checksum is that of the whole.
 */
#define _GNU_SOURCE 1
#include "pcap.h"

#include <dlfcn.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "highfd.h"
#include "rawcall.h"

#define LIBPCAP "libpcap.so.0.8"
#define SNAPLEN 262144
#define STDIO_BUFFER (1 << 18)
#define FRAME_MAX (1 << 17)

/* What we use of libpcap. */
struct libpcap {
	void *handle;
	pcap_t *(*open_dead)(int linktype, int snaplen, u_int precision);
	pcap_dumper_t *(*dump_fopen)(pcap_t *, FILE *);
	void (*dump)(u_char *, const struct pcap_pkthdr *, const u_char *);
	int (*dump_flush)(pcap_dumper_t *);
	void (*dump_close)(pcap_dumper_t *);
	void (*close)(pcap_t *);
};

struct capture {
	struct netif n;              /* info is a copy of inner's */
	struct netif *inner;         /* owned */
	struct libpcap lib;
	pcap_t *pcap;
	pcap_dumper_t *dumper;       /* NULL: the capture has ended */
	FILE *file;                  /* the dumper's */
	char *stdio_buf;             /* owned */
	uint8_t *copy;               /* FRAME_MAX bytes for a frame that must be put together; owned */
};

static struct capture *self(struct netif *n)
{
	return (struct capture *)n;
}

/* ---- libpcap ---- */

/* dlsym() gives void *, which ISO C doesn't turn into a function's address. */
static bool find(struct libpcap *l, const char *name, void *fn)
{
	void *p = dlsym(l->handle, name);

	memcpy(fn, &p, sizeof(p));
	return p;
}

static bool load(struct libpcap *l)
{
	l->handle = dlopen(LIBPCAP, RTLD_NOW | RTLD_LOCAL);
	return l->handle && find(l, "pcap_open_dead_with_tstamp_precision", &l->open_dead) &&
	       find(l, "pcap_dump_fopen", &l->dump_fopen) && find(l, "pcap_dump", &l->dump) &&
	       find(l, "pcap_dump_flush", &l->dump_flush) &&
	       find(l, "pcap_dump_close", &l->dump_close) && find(l, "pcap_close", &l->close);
}

/* ---- writing ---- */

static void end_capture(struct capture *c)
{
	if (c->dumper)
		c->lib.dump_close(c->dumper);
	c->dumper = NULL;
	c->file = NULL;
}

static void flush(struct capture *c)
{
	if (c->dumper && (c->lib.dump_flush(c->dumper) || ferror(c->file)))
		end_capture(c);
}

static uint32_t sum16(const uint8_t *p, size_t len)
{
	uint64_t s = 0;

	for (; len > 1; p += 2, len -= 2)
		s += (uint32_t)p[0] << 8 | p[1];
	if (len)
		s += (uint32_t)p[0] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint32_t)s;
}

/* Where the datagram ends: behind it an Ethernet frame may be padded. */
static size_t datagram_end(const struct capture *c, const uint8_t *f, size_t len)
{
	const size_t l3 = c->n.info.link == NETIF_ETHER ? 14 : 0;
	size_t total;

	if (len < l3 + 20)
		return len;
	total = (size_t)f[l3 + 2] << 8 | f[l3 + 3];
	return total && l3 + total < len ? l3 + total : len;
}

/* The field holds the pseudo-header's sum; what it covers runs from csum_start to the end. */
static void complete_checksum(const struct capture *c, uint8_t *f, size_t len,
                              const struct virtio_net_hdr *v)
{
	const size_t start = v->csum_start, at = start + v->csum_offset;
	const size_t end = datagram_end(c, f, len);
	uint32_t sum;

	if (start >= end || at + 2 > end)
		return;
	sum = ~sum16(f + start, end - start) & 0xffff;
	f[at] = (uint8_t)(sum >> 8);
	f[at + 1] = (uint8_t)sum;
}

static struct pcap_pkthdr header(size_t len)
{
	struct pcap_pkthdr h = { .caplen = (bpf_u_int32)len, .len = (bpf_u_int32)len };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	h.ts.tv_sec = now.tv_sec;
	h.ts.tv_usec = now.tv_nsec;  /* the file's precision is nanoseconds */
	return h;
}

static void write_frame(struct capture *c, const struct iovec *iov, int cnt,
                        const struct virtio_net_hdr *v)
{
	struct pcap_pkthdr h;
	size_t len = 0;
	int i;

	for (i = 0; i < cnt; i++) {
		if (iov[i].iov_len > FRAME_MAX - len)
			return;
		memcpy(c->copy + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		complete_checksum(c, c->copy, len, v);
	h = header(len);
	c->lib.dump((u_char *)c->dumper, &h, c->copy);
}

/* ---- the netif ---- */

static int capture_receive(struct netif *n, struct netif_rx *v, unsigned max)
{
	struct capture *c = self(n);
	int got = netif_receive(c->inner, v, max), i;

	for (i = 0; c->dumper && i < got; i++) {
		struct iovec iov = { (void *)(uintptr_t)v[i].data, v[i].len };

		write_frame(c, &iov, 1, &v[i].vnet);
	}
	if (got > 0)
		flush(c);
	return got;
}

static int capture_transmit(struct netif *n, const struct netif_tx *v, unsigned max)
{
	struct capture *c = self(n);
	int sent = netif_transmit(c->inner, v, max), i;

	for (i = 0; c->dumper && i < sent; i++)
		write_frame(c, v[i].iov, v[i].iovcnt, &v[i].vnet);
	if (sent > 0)
		flush(c);
	return sent;
}

static int capture_refresh(struct netif *n)
{
	struct capture *c = self(n);
	int err = netif_refresh(c->inner);

	c->n.info = c->inner->info;
	return err;
}

static int capture_fd(const struct netif *n)
{
	return netif_fd(((const struct capture *)n)->inner);
}

static void free_capture(struct capture *c)
{
	end_capture(c);
	if (c->pcap)
		c->lib.close(c->pcap);
	if (c->lib.handle)
		dlclose(c->lib.handle);
	free(c->stdio_buf);
	free(c->copy);
	free(c);
}

static void capture_close(struct netif *n)
{
	netif_close(self(n)->inner);
	free_capture(self(n));
}

static unsigned capture_queued(struct netif *n)
{
	struct netif *inner = self(n)->inner;

	return netif_tells_queued(inner) ? netif_queued(inner) : 0;
}

static const struct netif_ops ops = {
	.fd = capture_fd,
	.receive = capture_receive,
	.transmit = capture_transmit,
	.queued = capture_queued,
	.refresh = capture_refresh,
	.close = capture_close,
};

struct netif *pcap_netif_inner(struct netif *n)
{
	return n->ops == &ops ? self(n)->inner : n;
}

void pcap_netif_record(struct netif *n, const uint8_t *frame, size_t len, const struct virtio_net_hdr *vnet)
{
	struct iovec iov = { (void *)(uintptr_t)frame, len };

	if (n->ops != &ops || !self(n)->dumper)
		return;
	write_frame(self(n), &iov, 1, vnet);
	flush(self(n));
}

int pcap_netif_file(const struct netif *n)
{
	const struct capture *c = (const struct capture *)n;

	return n->ops == &ops && c->file ? fileno(c->file) : -1;
}

/* ---- opening ---- */

__attribute__((format(printf, 4, 5)))
static int explain(char *err, size_t err_len, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_len, fmt, ap);
	va_end(ap);
	return code;
}

static FILE *open_file(const char *path)
{
	int fd = highfd_raise(raw_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
	FILE *f;

	if (fd < 0)
		return NULL;
	f = fdopen(fd, "we");
	if (!f)
		raw_close(fd);
	return f;
}

static int start(struct capture *c, const char *path, char *err, size_t err_len)
{
	const int dlt = c->n.info.link == NETIF_ETHER ? DLT_EN10MB : DLT_RAW;

	if (!load(&c->lib))
		return explain(err, err_len, -ENOSYS, "a capture needs " LIBPCAP ": install libpcap0.8");
	c->pcap = c->lib.open_dead(dlt, SNAPLEN, PCAP_TSTAMP_PRECISION_NANO);
	c->copy = malloc(FRAME_MAX);
	c->stdio_buf = malloc(STDIO_BUFFER);
	if (!c->pcap || !c->copy || !c->stdio_buf)
		return explain(err, err_len, -ENOMEM, "no memory for the capture %s", path);
	c->file = open_file(path);
	if (!c->file)
		return explain(err, err_len, -errno, "can't write the capture %s: %s", path, strerror(errno));
	setvbuf(c->file, c->stdio_buf, _IOFBF, STDIO_BUFFER);
	c->dumper = c->lib.dump_fopen(c->pcap, c->file);
	/* When it can't write, libpcap has closed the file. */
	if (c->dumper)
		flush(c);
	return c->dumper ? 0 : explain(err, err_len, -EIO, "can't write the capture %s", path);
}

int pcap_netif_open(const char *path, struct netif *inner, struct netif **out, char *err,
                    size_t err_len)
{
	struct capture *c = calloc(1, sizeof(*c));
	int code;

	if (!c)
		return explain(err, err_len, -ENOMEM, "no memory for the capture %s", path);
	c->n.ops = &ops;
	c->n.info = inner->info;
	c->inner = inner;
	code = start(c, path, err, err_len);
	if (code) {
		free_capture(c);
		return code;
	}
	*out = &c->n;
	return 0;
}
