/* SPDX-License-Identifier: MIT */
/*
 * System calls that this process and its children are refused from now on, as a container does it:
 * by a filter of the kernel's, which cannot be taken back. For children.
 */
#ifndef WEIR_TESTS_REFUSING_H
#define WEIR_TESTS_REFUSING_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support.h"

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#define SYS_io_uring_enter 426
#define SYS_io_uring_register 427
#endif

/* Have call @number return -@error. The processor's other sets of calls are not used here. */
static inline bool refuse(long number, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static inline int try_to_refuse(void *arg)
{
	(void)arg;
	return refuse(SYS_io_uring_setup, 1) ? 0 : 1;
}

/* Why that cannot be done here, or NULL. */
static inline const char *refusing_unavailable(void)
{
	struct child child = child_start(try_to_refuse, NULL);

	return child_join(&child) == 0 ? NULL : "seccomp filters cannot be set";
}

#endif
