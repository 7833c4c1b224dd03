# SPDX-License-Identifier: BSD-2-Clause

# Interfaces, what the kernel knows of them, and the guard.  One line a file, headers too.
noinst_LTLIBRARIES += libnetif.la
libnetif_la_SOURCES = \
	netif/guard.h \
	netif/host.h \
	netif/netif.h
