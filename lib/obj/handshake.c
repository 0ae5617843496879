/* SPDX-License-Identifier: MIT */
#include "obj/handshake.h"

#include <errno.h>
#include <string.h>

static struct handshake_head head(enum handshake_kind kind)
{
	return (struct handshake_head){
		.magic = HANDSHAKE_MAGIC,
		.kind = (uint16_t)kind,
		.version = HANDSHAKE_VERSION,
	};
}

struct handshake_hello handshake_hello(uint64_t capacity)
{
	return (struct handshake_hello){ .head = head(HANDSHAKE_HELLO), .capacity = capacity };
}

struct handshake_welcome handshake_welcome(enum welcome_status status)
{
	return (struct handshake_welcome){ .head = head(HANDSHAKE_WELCOME),
					   .status = (uint32_t)status };
}

struct handshake_ready handshake_ready(void)
{
	return (struct handshake_ready){ .head = head(HANDSHAKE_READY) };
}

/* Copy a message of @kind, which has @expected bytes in this version, to @to. */
static int read_message(const void *data, size_t size, enum handshake_kind kind, void *to,
			size_t expected)
{
	struct handshake_head h;

	if (size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, data, sizeof(h));
	if (h.magic != HANDSHAKE_MAGIC || h.kind != kind)
		return -EBADMSG;
	/* Before the size, which another version may have changed. */
	if (h.version != HANDSHAKE_VERSION)
		return -EPROTO;
	if (size != expected)
		return -EBADMSG;
	memcpy(to, data, expected);
	return 0;
}

int handshake_read_hello(const void *data, size_t size, struct handshake_hello *ret_hello)
{
	struct handshake_hello hello;
	int result = read_message(data, size, HANDSHAKE_HELLO, &hello, sizeof(hello));

	if (result < 0)
		return result;
	if (hello.flags != 0 || hello.reserved != 0)
		return -EPROTO;
	*ret_hello = hello;
	return 0;
}

int handshake_read_welcome(const void *data, size_t size, struct handshake_welcome *ret_welcome)
{
	struct handshake_welcome welcome;
	int result = read_message(data, size, HANDSHAKE_WELCOME, &welcome, sizeof(welcome));

	if (result < 0)
		return result;
	if (welcome.reserved != 0)
		return -EPROTO;
	*ret_welcome = welcome;
	return 0;
}

int handshake_read_ready(const void *data, size_t size)
{
	struct handshake_ready ready;

	return read_message(data, size, HANDSHAKE_READY, &ready, sizeof(ready));
}

int handshake_error(uint32_t status)
{
	switch (status) {
	case WELCOME_OK:
		return 0;
	case WELCOME_DENIED:
		return -EACCES;
	case WELCOME_BUSY:
		return -EAGAIN;
	default:
		/* WELCOME_VERSION, or what a later version says. */
		return -EPROTO;
	}
}
