# SPDX-License-Identifier: BSD-2-Clause

# What the preloaded library is made of besides the symbols that it exports; the unit
# tests of the shim link it too.
noinst_LTLIBRARIES += libshim.la
libshim_la_SOURCES =

# The preloaded library: the files that define interposed symbols go here.
lib_LTLIBRARIES += libxtcp.la
libxtcp_la_SOURCES =
libxtcp_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -Wl,-z,text \
	-Wl,--exclude-libs,libengine.a
libxtcp_la_LIBADD = libshim.la libengine.la libstack.la libnetif.la $(MNL_LIBS) $(INIH_LIBS) $(CAP_LIBS)

# It is preloaded, never linked against.
install-exec-hook:
	rm -f $(DESTDIR)$(libdir)/libxtcp.la
uninstall-local:
	rm -f $(DESTDIR)$(libdir)/libxtcp.so

# The front end.  It asks the same code as the library what is valid and what there is.
bin_PROGRAMS += xtcp-run
xtcp_run_SOURCES = shim/xtcp-run.c shim/target.c shim/target.h shim/conf.c shim/conf.h
xtcp_run_LDADD = libnetif.la libstack.la $(MNL_LIBS) $(INIH_LIBS) $(CAP_LIBS) -lm
