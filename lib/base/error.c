/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/cc.h"
#include "weir/base.h"
#include "weir/version.h"

/* In the order of the list in weir/base.h. */
static const struct {
	int error;
	const char *text;
} texts[] = {
	{ 0, "no error" },
	{ EAGAIN, "would have to wait" },
	{ ETIMEDOUT, "the deadline passed" },
	{ EINTR, "interrupted by a signal handler" },
	{ EPIPE, "the other side is closed" },
	{ ESHUTDOWN, "the object was shut down" },
	{ EBUSY, "another process owns this end, or a message is claimed or taken" },
	{ EOWNERDEAD, "a process died in the middle of a message, which is lost" },
	{ EMSGSIZE, "the message does not fit" },
	{ EBADMSG, "the shared memory is damaged; the object is poisoned" },
	{ EPROTO, "what came is not what was expected" },
	{ EOPNOTSUPP, "this end does not go in that direction" },
	{ ENOENT, "there is no such element, key or name" },
	{ ECANCELED, "the barrier is broken" },
	{ EUSERS, "too many processes or threads use the object" },
	{ EPERM, "it is not the caller's to release" },
	{ EOVERFLOW, "the count would become too large" },
	{ EINVAL, "invalid argument" },
};

const char *weir_strerror(int error)
{
	/* Not as an int: the smallest has no opposite. */
	int number = (int)(error < 0 ? -(unsigned int)error : (unsigned int)error);
	const char *text;

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		if (texts[i].error == number)
			return texts[i].text;
	/* strerrordesc_np() gives a constant, where strerror() may format into a static buffer. */
	text = strerrordesc_np(number);
	return text ? text : "unknown error";
}

const char *weir_version(void)
{
	return WEIR_VERSION;
}
