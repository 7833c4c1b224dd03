# SPDX-License-Identifier: BSD-2-Clause

# What the preloaded library is made of besides the symbols that it exports; the unit
# tests of the shim link it too.
noinst_LTLIBRARIES += libshim.la
libshim_la_CFLAGS = $(LIB_CFLAGS)
libshim_la_SOURCES = \
	shim/addr.c \
	shim/addr.h \
	shim/alloc.c \
	shim/alloc.h \
	shim/bridge.c \
	shim/bridge_open.c \
	shim/bridge.h \
	shim/netns.c \
	shim/netns.h \
	shim/shared.c \
	shim/shared.h \
	shim/call.h \
	shim/call_data.c \
	shim/call_fd.c \
	shim/call_msg.c \
	shim/call_open.c \
	shim/call_sendfile.c \
	shim/call_splice.c \
	shim/confine.c \
	shim/confine.h \
	shim/creds.c \
	shim/creds.h \
	shim/eng.c \
	shim/eng.h \
	shim/epoll.c \
	shim/epoll.h \
	shim/epoll_set.c \
	shim/epoll_set.h \
	shim/fdtab.c \
	shim/fdtab.h \
	shim/iface.c \
	shim/iface.h \
	shim/init.c \
	shim/init.h \
	shim/log.c \
	shim/log.h \
	shim/opts.c \
	shim/opts.h \
	shim/policy.c \
	shim/policy.h \
	shim/poll.c \
	shim/poll.h \
	shim/pool.c \
	shim/pool.h \
	shim/process.c \
	shim/process.h \
	shim/rawprog.c \
	shim/ready.c \
	shim/ready.h \
	shim/real.c \
	shim/real.h \
	shim/ring.c \
	shim/ring.h \
	shim/signal.c \
	shim/signal.h \
	shim/sock.c \
	shim/sock.h \
	shim/stream.c \
	shim/stream.h \
	shim/symbols.def \
	shim/user.c \
	shim/user.h
libshim_la_LIBADD = libconf.la

# The settings, which xtcp-run checks too.
noinst_LTLIBRARIES += libconf.la
libconf_la_CFLAGS = $(LIB_CFLAGS)
libconf_la_SOURCES = shim/conf.c shim/conf.h shim/parse.c shim/parse.h shim/rules.c shim/rules.h
libconf_la_LIBADD = $(INIH_LIBS)

# The files that define interposed symbols.  Not for link-time optimization: an archive's index of such objects hasn't
# what assembly defines (vfork()), and a test would link libc's.
noinst_LTLIBRARIES += libinterpose.la
libinterpose_la_SOURCES = shim/interpose.c shim/interpose.h shim/interpose_aio.c shim/interpose_cred.c shim/interpose_fd.c shim/interpose_proc.c shim/interpose_ring.c shim/interpose_spawn.c shim/interpose_sys.c

# The preloaded library.  Who opens it by dlopen() and closes it may have threads, signal handlers and sockets of it: it stays.
lib_LTLIBRARIES += libxtcp.la
libxtcp_la_CFLAGS = $(LIB_CFLAGS)
libxtcp_la_SOURCES = shim/wrap.c
libxtcp_la_LDFLAGS = $(AM_LDFLAGS) $(LTO_CFLAGS) -module -avoid-version -shared -Wl,-z,text -Wl,-z,nodelete \
	-Wl,--exclude-libs,libengine.a \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
libxtcp_la_LIBADD = libinterpose.la libshim.la libengine.la libstack.la libnetif.la $(MNL_LIBS) $(INIH_LIBS) $(CAP_LIBS)

# It is preloaded, never linked against.
install-exec-hook:
	rm -f $(DESTDIR)$(libdir)/libxtcp.la
uninstall-local:
	rm -f $(DESTDIR)$(libdir)/libxtcp.so

# The front end.  It asks the same code as the library what is valid and what there is.
bin_PROGRAMS += xtcp-run
xtcp_run_SOURCES = shim/xtcp-run.c shim/target.c shim/target.h
xtcp_run_LDADD = libconf.la libnetif.la libstack.la $(MNL_LIBS) $(INIH_LIBS) $(CAP_LIBS) -lm

# Talks to running processes.
bin_PROGRAMS += xtcp-ctl
xtcp_ctl_SOURCES = shim/xtcp-ctl.c
