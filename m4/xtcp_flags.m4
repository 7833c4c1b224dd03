# SPDX-License-Identifier: BSD-2-Clause
#
# XTCP_FLAG(VARIABLE, FLAG): appends FLAG to VARIABLE when the compiler takes it, silently.
# A flag for the linker goes into a variable whose name ends in LDFLAGS.

AC_DEFUN([XTCP_FLAG], [
	AS_VAR_PUSHDEF([cache], [xtcp_cv_flag_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [cache], [
		xtcp_cflags=$CFLAGS
		xtcp_ldflags=$LDFLAGS
		m4_if(m4_bregexp([$1], [LDFLAGS$]), [-1],
			[CFLAGS="-Werror $CFLAGS $2"], [LDFLAGS="$LDFLAGS $2"])
		AC_LINK_IFELSE([AC_LANG_PROGRAM([[]], [[]])],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		CFLAGS=$xtcp_cflags
		LDFLAGS=$xtcp_ldflags
	])
	AS_VAR_IF([cache], [yes], [$1="$$1 $2"])
	AS_VAR_POPDEF([cache])
])

# XTCP_SANITIZER(NAME, FLAG): --enable-NAME compiles and links everything with FLAG.
AC_DEFUN([XTCP_SANITIZER], [
	AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [build with $2])], [], [enable_$1=no])
	AS_IF([test "x$enable_$1" = xyes], [
		xtcp_sanitizers="$xtcp_sanitizers $1"
		SANITIZE_FLAGS="$SANITIZE_FLAGS $2"
	])
])
