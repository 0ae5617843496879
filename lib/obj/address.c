/* SPDX-License-Identifier: MIT */
#include "obj/address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

int address_parse(const char *text, struct address *ret_address)
{
	struct address address = { .un.sun_family = AF_UNIX };
	size_t length;

	if (!text)
		return -EINVAL;
	address.abstract = *text == '@';
	text += address.abstract;
	length = strnlen(text, ADDRESS_MAX + 1);
	if (length == 0)
		return -EINVAL;
	if (length > ADDRESS_MAX)
		return -ENAMETOOLONG;
	/* An abstract name begins with a zero and ends with the length; a path ends with a zero. */
	memcpy(address.un.sun_path + address.abstract, text, length);
	address.length = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	*ret_address = address;
	return 0;
}
