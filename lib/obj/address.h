/* SPDX-License-Identifier: MIT */
/* Addresses of listeners: the path of a socket file, or "@" and an abstract name. */
#ifndef WEIR_OBJ_ADDRESS_H
#define WEIR_OBJ_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

/* Of a path, or of an abstract name without its "@". The kernel would take one byte more. */
#define ADDRESS_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

struct address {
	struct sockaddr_un un;
	uint32_t length;	/* of un; what is behind belongs to no abstract name */
	bool abstract;
};

/* -EINVAL: there is no name; -ENAMETOOLONG. */
int address_parse(const char *text, struct address *ret_address);

#endif
