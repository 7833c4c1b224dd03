# SPDX-License-Identifier: BSD-2-Clause

# Interfaces, what the kernel knows of them, and the guard.  One line a file, headers too.
noinst_LTLIBRARIES += libnetif.la
libnetif_la_CFLAGS = $(LIB_CFLAGS)
libnetif_la_SOURCES = \
	netif/afpacket.c \
	netif/afpacket.h \
	netif/fdpass.c \
	netif/fdpass.h \
	netif/filter.c \
	netif/filter.h \
	netif/guard.c \
	netif/guard.h \
	netif/guard_broker.c \
	netif/guard_impl.h \
	netif/guard_nft.c \
	netif/guard_nft.h \
	netif/hairpin.c \
	netif/hairpin.h \
	netif/highfd.c \
	netif/highfd.h \
	netif/host.c \
	netif/host.h \
	netif/lateclose.c \
	netif/lateclose.h \
	netif/netif.h \
	netif/nl.c \
	netif/nl.h \
	netif/pcap.c \
	netif/pcap.h \
	netif/portdiag.c \
	netif/portdiag.h \
	netif/rawcall.h \
	netif/share.c \
	netif/share.h
