# SPDX-License-Identifier: BSD-2-Clause
#
# XTCP_LIBEV: how libxtcp.so comes by its libev.
#
# A preloaded library must bring a libev that neither exports ev_* to the program (which may
# have its own, of another version) nor enters the calls that we interpose.  Linking libev.so
# gives neither.  So where a static libev exists, its one object is copied at build time and
# its I/O calls (stack/evio.syms) are renamed to stack/evio.c's, which enter the kernel
# directly; the link then hides its symbols.  Debian's libev.a is built for executables, not for shared
# libraries: apart from `stderr', which is renamed too, everything in it binds inside the
# library, so no text relocation remains.  That is tried here, because it depends on the
# architecture; where it fails, libev.so is linked and only the engine's own thread, which
# the interposed calls know, keeps the two apart.
#
# Sets LIBEV_A (the archive, empty in the second case), LIBEV_LIBS, and HAVE_PRIVATE_LIBEV.

AC_DEFUN([XTCP_LIBEV], [
	AC_CHECK_HEADER([ev.h], [], [AC_MSG_ERROR([ev.h is missing: install libev-dev])])
	AC_CHECK_LIB([m], [floor])
	AC_ARG_WITH([private-libev], [AS_HELP_STRING([--without-private-libev],
		[link libev.so instead of a private copy of libev.a])], [], [with_private_libev=check])
	AC_CHECK_TOOL([OBJCOPY], [objcopy], [no])
	LIBEV_A=
	LIBEV_LIBS=
	AS_IF([test "x$with_private_libev" != xno], [
		AC_MSG_CHECKING([whether a private copy of libev.a can be linked])
		XTCP_LIBEV_TRY
		AS_IF([test -n "$LIBEV_A"], [AC_MSG_RESULT([yes, $LIBEV_A])], [AC_MSG_RESULT([no])])
	])
	AS_IF([test -z "$LIBEV_A"], [
		AS_IF([test "x$with_private_libev" = xyes],
			[AC_MSG_ERROR([no private copy of libev.a can be made here])])
		AC_CHECK_LIB([ev], [ev_loop_new], [LIBEV_LIBS=-lev],
			[AC_MSG_ERROR([libev is missing: install libev-dev])])
	])
	AC_SUBST([LIBEV_A])
	AC_SUBST([LIBEV_LIBS])
	AM_CONDITIONAL([HAVE_PRIVATE_LIBEV], [test -n "$LIBEV_A"])
])

# The same steps as the rule for stack/evcopy.lo in stack/local.mk, on a library of one function.
AC_DEFUN([XTCP_LIBEV_TRY], [
	xtcp_ev_a=`$CC $CFLAGS -print-file-name=libev.a`
	rm -rf conftest.ev
	AS_IF([test -f "$xtcp_ev_a" && test "x$OBJCOPY" != xno && mkdir conftest.ev], [
		AC_LANG_CONFTEST([AC_LANG_SOURCE([[
#include <ev.h>
#include <stdio.h>
extern FILE *xtcp_ev_stderr;
FILE *xtcp_ev_stderr;
int conftest_entry(void);
__attribute__((visibility("default"))) int conftest_entry(void)
{
	struct ev_loop *l = ev_loop_new(0);
	ev_run(l, 0);
	ev_loop_destroy(l);
	return 0;
}]])])
		mv conftest.c conftest.ev/
		(cd conftest.ev &&
			$AR x "$xtcp_ev_a" ev.o &&
			$OBJCOPY --redefine-sym stderr=xtcp_ev_stderr ev.o evcopy.o &&
			$AR rc libevcopy.a evcopy.o &&
			$CC $CPPFLAGS $CFLAGS -fPIC -fvisibility=hidden -c conftest.c &&
			$CC $CFLAGS -shared -Wl,-z,text -Wl,--exclude-libs,libevcopy.a \
				-o conftest.so conftest.o libevcopy.a $LIBS &&
			test "`$NM -D --defined-only conftest.so | grep -c .`" = 1 &&
			$NM -D --defined-only conftest.so | grep conftest_entry
		) >&AS_MESSAGE_LOG_FD 2>&AS_MESSAGE_LOG_FD && LIBEV_A=$xtcp_ev_a
	])
	rm -rf conftest.ev
])
