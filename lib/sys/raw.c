/* SPDX-License-Identifier: MIT */
#include "sys/raw.h"

#include <errno.h>
#include <unistd.h>

#include "base/cc.h"

int (*sys_fault)(enum sys_call call);

int sys_ask(enum sys_call call)
{
	return unlikely(sys_fault) ? sys_fault(call) : 0;
}

/*
 * The library leaves errno as it found it; every call goes through here. syscall(2) is no
 * cancellation point, which the wrappers of the C library would be.
 */
long raw(enum sys_call which, long number, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long result = sys_ask(which);

	if (result < 0)
		return result;
	result = syscall(number, a, b, c, d, e, f);
	if (result < 0)
		result = -errno;
	errno = saved;
	return result;
}
