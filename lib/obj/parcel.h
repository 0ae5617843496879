/* SPDX-License-Identifier: MIT */
/*
 * A parcel: what must travel so that another process gets a handle. A note that says what it is,
 * and descriptors.
 *
 * Who sends a parcel borrows the descriptors from the object; who has received one owns them. What
 * comes out of a socket is input: notes, files and their contents are checked before use, and
 * descriptors that nobody asked for are closed.
 */
#ifndef WEIR_OBJ_PARCEL_H
#define WEIR_OBJ_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/layout.h"
#include "weir/handle.h"
#include "weir/pipe.h"

#define PARCEL_MAGIC	UINT32_C(0x6c637077)	/* "wpcl" */
#define PARCEL_VERSION	1
#define PARCEL_FDS_MAX	16

/* As it is on the socket. */
struct parcel_note {
	uint32_t magic;
	uint16_t version;	/* of this note */
	uint16_t layout;	/* WEIR_LAYOUT_MAJOR */
	uint32_t kind;		/* WEIR_KIND_* */
	uint32_t flags;		/* of the object's options */
	uint32_t index;		/* which end of it */
	uint32_t fd_count;
	uint64_t ticket;	/* number that a record in a lane has, too; 0: none */
	uint64_t reserved;	/* 0 */
};

_Static_assert(sizeof(struct parcel_note) == 40, "on the wire");

struct parcel {
	struct parcel_note note;
	int fds[PARCEL_FDS_MAX];	/* note.fd_count of them, then -1 */
};

/* What is different for each kind of object. */
struct parcel_kind {
	/* Whether its flags, index and number of descriptors are some of this kind. */
	bool (*note_valid)(const struct parcel_note *n);
	void (*of)(const void *handle, struct parcel *ret);
	int (*check)(const struct parcel *p);		/* the note is valid */
	int (*open)(struct parcel *p, void *ret_handle);
};

extern const struct parcel_kind parcel_queue;
extern const struct parcel_kind parcel_shared;	/* locks, values and their kind */

/* Nothing in it. */
void parcel_clear(struct parcel *p);
/* Nothing in it but what it is. */
void parcel_begin(struct parcel *p, uint32_t kind);

/* Whether it says something that is known here. */
bool parcel_note_valid(const struct parcel_note *n);

bool parcel_kind_known(uint32_t kind);

/* Of an object of whatever kind; -EINVAL: it is none. */
int parcel_of(const void *handle, struct parcel *ret);

/*
 * Whether @p can be opened, as far as one can tell without changing or taking anything: 0; -EINVAL
 * the descriptors are not what they should be; -EBADMSG they are, but the memory is damaged;
 * -EPROTO the note, or the memory, is of a kind or version that is not known here.
 */
int parcel_check(const struct parcel *p);

/*
 * Make a handle of its kind of it. Takes the descriptors, also when it fails: as the check, or
 * -ENOMEM, ...
 */
int parcel_open(struct parcel *p, void *ret_handle);

/* Of an end: the memfd, a bell for each side of each lane, a level for each lane, the line. */
void parcel_of_end(const struct weir_end *end, struct parcel *ret);

/* parcel_open(), only for an end. */
int parcel_open_end(struct parcel *p, struct weir_end **ret_end);

/* Close what was received. */
void parcel_close(struct parcel *p);

/*
 * Send over any AF_UNIX socket, stream, seqpacket or connected datagram, whatever its mode.
 *
 * @flags	WEIR_INTR
 * 0; -EAGAIN, -ETIMEDOUT, -EINTR: not sent; -EPIPE; -EINVAL, -ENOTSOCK: no such socket; or the
 * kernel's.
 */
int parcel_send(int socket, const struct parcel *p, uint32_t flags, int64_t deadline);

/*
 * Receive what parcel_send() has sent. Of a stream exactly the bytes of the note are taken.
 *
 * @flags	WEIR_INTR
 * 0; -EAGAIN, -ETIMEDOUT, -EINTR: nothing taken; -EPIPE: nothing more comes; -EPROTO: something
 * else came, and was taken and closed; -EINVAL, -ENOTSOCK; or the kernel's.
 */
int parcel_recv(int socket, struct parcel *ret, uint32_t flags, int64_t deadline);

#endif
