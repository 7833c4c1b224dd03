/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.c - finds a program and reads just enough of it to know what the dynamic linker
 * will do.
 *
 * ld.so ignores LD_PRELOAD in secure mode, which the kernel turns on (AT_SECURE) when the
 * ids change or when file capabilities are gained by someone who isn't root
 * (cap_bprm_creds_from_file()); on a nosuid mount neither happens.  A file without
 * PT_INTERP has no dynamic linker at all.  A script stands for its interpreter.
 */
#include "target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_DEPTH 4        /* the kernel's own limit of interpreters of interpreters */
#define DEFAULT_PATH "/bin:/usr/bin"

static int is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK))
		return -EACCES;
	return 0;
}

/* As execvp(): a name with a slash is a path; else the directories of PATH in turn, where
 * a file that may not be executed is passed over but remembered. */
static int search(const char *name, char *path)
{
	const char *dir = getenv("PATH");
	int err = -ENOENT;

	if (strchr(name, '/')) {
		if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
			return -ENAMETOOLONG;
		return is_program(path);
	}
	if (!*name)
		return -ENOENT;
	for (dir = dir ? dir : DEFAULT_PATH;; dir = strchr(dir, ':') + 1) {
		int len = (int)strcspn(dir, ":");
		int ret = -ENOENT;

		if (snprintf(path, PATH_MAX, "%.*s%s%s", len, dir, len ? "/" : "", name) < PATH_MAX)
			ret = is_program(path);
		if (!ret)
			return 0;
		if (ret == -EACCES)
			err = ret;
		if (!dir[len])
			return err;
	}
}

/* Why ld.so would be in secure mode, or NULL. */
static const char *secure_reason(int fd, const struct stat *st)
{
	struct statvfs vfs;

	if (!fstatvfs(fd, &vfs) && vfs.f_flag & ST_NOSUID)
		return NULL;
	if (st->st_mode & S_ISUID && st->st_uid != getuid())
		return "is setuid";
	if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st->st_gid != getgid())
		return "is setgid";
	if (getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities";
	return NULL;
}

static bool has_interpreter(int fd, const ElfW(Ehdr) *eh)
{
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		ElfW(Phdr) ph;
		off_t at = (off_t)(eh->e_phoff + (size_t)i * eh->e_phentsize);

		if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
			return false;
		if (ph.p_type == PT_INTERP)
			return true;
	}
	return false;
}

/* The machine that this program itself is for. */
static bool is_own_machine(const ElfW(Ehdr) *eh)
{
	ElfW(Ehdr) own;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool is_own = fd >= 0 && read(fd, &own, sizeof(own)) == sizeof(own) &&
		      own.e_ident[EI_CLASS] == eh->e_ident[EI_CLASS] &&
		      own.e_machine == eh->e_machine;

	if (fd >= 0)
		close(fd);
	return is_own;
}

/* Why libxtcp.so can't be preloaded into this ELF file, or NULL. */
static const char *elf_reason(int fd, const ElfW(Ehdr) *eh)
{
	if (!is_own_machine(eh))
		return "is for another machine than libxtcp.so";
	if (!has_interpreter(fd, eh))
		return "is statically linked";
	return NULL;
}

/* The interpreter of "#! path argument"; false when there is none. */
static bool script_interpreter(const char *line, char *path)
{
	const char *p = line + 2 + strspn(line + 2, " \t");
	size_t len = strcspn(p, " \t\n");

	if (!len || len >= PATH_MAX)
		return false;
	memcpy(path, p, len);
	path[len] = '\0';
	return true;
}

/* 1: it is a script, and interp (PATH_MAX bytes) its interpreter; 0: it may run; -1: *reason. */
static int inspect(const char *path, char *interp, const char **reason)
{
	union {
		ElfW(Ehdr) elf;
		char text[256];      /* what the kernel reads of a script's first line */
	} head = { .text = { 0 } };
	struct stat st;
	int ret = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;            /* executable but not readable: nothing is known */
	if (fstat(fd, &st) || read(fd, head.text, sizeof(head.text) - 1) < 0)
		goto out;
	if (!memcmp(head.text, "#!", 2)) {
		ret = script_interpreter(head.text, interp);
		goto out;
	}
	*reason = secure_reason(fd, &st);
	if (!*reason && !memcmp(head.text, ELFMAG, SELFMAG))
		*reason = elf_reason(fd, &head.elf);
	if (*reason)
		ret = -1;
out:
	close(fd);
	return ret;
}

/* As env(1) has it. */
static int status_of(int err)
{
	return err == -ENOENT || err == -ENOTDIR ? TARGET_NOT_FOUND : TARGET_NOT_EXEC;
}

int target_find(const char *name, char *path, char *err, size_t err_len)
{
	char file[PATH_MAX], interp[PATH_MAX];
	const char *reason = NULL;
	int ret = search(name, path);

	if (ret) {
		snprintf(err, err_len, "%s: %s", name,
			 ret == -ENOENT ? "there is no such program" : strerror(-ret));
		return status_of(ret);
	}
	snprintf(file, sizeof(file), "%s", path);
	for (int depth = 0; depth < SCRIPT_DEPTH; depth++) {
		ret = inspect(file, interp, &reason);
		if (ret < 0) {
			snprintf(err, err_len, "%s %s, so libxtcp.so can't be preloaded into it",
				 file, reason);
			return TARGET_ERR;
		}
		if (!ret)
			break;
		ret = is_program(interp);
		if (ret) {
			snprintf(err, err_len, "%s: its interpreter %s can't be run: %s", file, interp, strerror(-ret));
			return status_of(ret);
		}
		snprintf(file, sizeof(file), "%s", interp);
	}
	return 0;
}
