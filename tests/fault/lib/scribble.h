/* SPDX-License-Identifier: MIT */
/*
 * A peer that writes what it likes into the memory and the descriptors of a pipe, and an honest
 * process that goes on calling. It may get errors and wrong data. It does not crash, does not
 * touch memory outside its buffers, and each call ends a second after its deadline at the latest.
 */
#ifndef WEIR_TESTS_FAULT_SCRIBBLE_H
#define WEIR_TESTS_FAULT_SCRIBBLE_H

#include "obj/pipe.h"
#include "support.h"

enum scribble {
	SCRIBBLE_CONTROLS,	/* any word of the lane controls */
	SCRIBBLE_POSITIONS,	/* positions and announcements, little beside what they are */
	SCRIBBLE_HEADERS,	/* words of the rings that may be headers, some of which could be */
	SCRIBBLE_ALL,		/* any byte of the segment, the header page included */
	SCRIBBLE_HOLES,		/* holes punched into the file, pages removed from the mapping */
	SCRIBBLE_BELLS,		/* descriptors drained and filled, futexes woken */
	SCRIBBLE_COUNT
};

const char *scribble_name(enum scribble kind);

/* For child_start(): scribble until killed. */
struct scribbler {
	struct weir_end *ends[2];
	enum scribble kind;
	uint64_t seed;
};

int scribble_forever(void *scribbler);

/* A field of the controls that a call reads. */
struct scribble_field {
	uint16_t offset;	/* in struct weir_side */
	uint16_t size;
};

extern const struct scribble_field scribble_fields[];
extern const size_t scribble_field_count;

/*
 * The honest side. Both ends are in this process; what an error ends is begun again with a new
 * pipe.
 */
struct honest {
	struct weir_end *ends[2];
	uint64_t calls;
	int64_t worst_ns;	/* past its deadline, of the slowest call */
	char wrong[128];	/* empty, or what a call did that it must not */
};

void honest_open(struct honest *h);
/* Every call there is, on both ends; those that wait do so for @nap_ns. False if one was wrong. */
bool honest_call_all(struct honest *h, int64_t nap_ns);
/* The same in a child, which is then killed: its sides are taken over by whoever comes next. */
bool honest_call_all_in_child(struct honest *h, int64_t nap_ns);
void honest_close(struct honest *h);

/* Pipe after pipe, each with a scribbler at full speed. Fails the case; checks for growth. */
void honest_live(enum scribble kind, int64_t duration_ns);

#endif
