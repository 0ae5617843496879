/* SPDX-License-Identifier: MIT */
/*
 * What a client and a listener say to each other before they have a pipe.
 *
 *	client				listener
 *	HELLO, with what it wants ->
 *					looks who it is, makes a pipe
 *				  <-	WELCOME, with a status
 *				  <-	the parcel of the client's end, if that was OK
 *	READY, and closes	  ->
 *					closes; the pipe is accepted
 *
 * Each is one message of a SOCK_SEQPACKET socket. READY is there for the listener to know that the
 * descriptors have left the socket: as long as they lie in it they count against the limit of its
 * user (RLIMIT_NOFILE), and a client that leaves them there could stop all others.
 *
 * The first eight bytes are the same in all versions. Whatever is read here comes from somebody
 * else: it is checked in full before any of it is believed.
 */
#ifndef WEIR_OBJ_HANDSHAKE_H
#define WEIR_OBJ_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#define HANDSHAKE_MAGIC		UINT32_C(0x72696577)	/* "weir" */
#define HANDSHAKE_VERSION	1
/* A message of any version that we answer is shorter than this. */
#define HANDSHAKE_MAX		256

enum handshake_kind {
	HANDSHAKE_HELLO = 1,
	HANDSHAKE_WELCOME = 2,
	HANDSHAKE_READY = 3
};

enum welcome_status {
	WELCOME_OK = 0,
	WELCOME_DENIED = 1,	/* you are not on the list */
	WELCOME_VERSION = 2,	/* I do not speak that version */
	WELCOME_BUSY = 3	/* too many at a time, or no memory or descriptors: try again */
};

struct handshake_head {
	uint32_t magic;
	uint16_t kind;		/* enum handshake_kind */
	uint16_t version;
};

struct handshake_hello {
	struct handshake_head head;
	uint32_t flags;		/* none so far */
	uint32_t reserved;	/* 0 */
	uint64_t capacity;	/* wanted, of each ring; 0: the listener's choice */
};

struct handshake_welcome {
	struct handshake_head head;
	uint32_t status;	/* enum welcome_status */
	uint32_t reserved;	/* 0 */
};

struct handshake_ready {
	struct handshake_head head;
};

_Static_assert(sizeof(struct handshake_head) == 8, "the same in all versions");
_Static_assert(sizeof(struct handshake_hello) == 24, "without holes");
_Static_assert(sizeof(struct handshake_welcome) == 16, "without holes");
_Static_assert(offsetof(struct handshake_hello, capacity) == 16, "what others send");

struct handshake_hello handshake_hello(uint64_t capacity);
struct handshake_welcome handshake_welcome(enum welcome_status status);
struct handshake_ready handshake_ready(void);

/*
 * The @size bytes of @data as such a message. 0; -EBADMSG: no weir, or not what is expected now;
 * -EPROTO: another version, or something that only a later one can mean.
 */
int handshake_read_hello(const void *data, size_t size, struct handshake_hello *ret_hello);
int handshake_read_welcome(const void *data, size_t size, struct handshake_welcome *ret_welcome);
int handshake_read_ready(const void *data, size_t size);

/* What a status means for who wants to connect: 0, -EACCES, -EPROTO, or -EAGAIN. */
int handshake_error(uint32_t status);

#endif
