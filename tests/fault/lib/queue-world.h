/* SPDX-License-Identifier: MIT */
/*
 * Scenes in which a process that uses a queue dies, or is stopped, in the middle of a call.
 *
 * A *state* is how the queue is found, an *act* what the victim does to it. We, the survivor, have
 * made the queue and used it before. What each has put, been given and still holds is in a ledger,
 * in memory of its own, which the victim keeps up with as it goes; with it we can say of each
 * message whether it had to come, might have come, and whether it had to say that it comes again.
 */
#ifndef WEIR_TESTS_FAULT_QUEUE_WORLD_H
#define WEIR_TESTS_FAULT_QUEUE_WORLD_H

#include "fault/lib/scene.h"
#include "obj/queue.h"
#include "weir.h"

#define QWORLD_SEQS	(1U << 17)
#define QWORLD_HELD	64
/* Rounds of putting and getting that an heir must manage, in messages. */
#define QWORLD_CYCLE	2100U

enum qwriter {
	QW_US,
	QW_VICTIM,
	QW_DEAD,	/* who died before the scene begins */
	QW_COUNT
};

/* What has become of a message. */
#define Q_OUT		1U	/* somebody was given it, and said so */
#define Q_HELD		2U	/* the victim, or the dead one, has taken it and not released */
#define Q_ENDING	4U	/* it is about to release it, or to give it back */

struct qledger {
	uint32_t tried[QW_COUNT];	/* next number, raised before the call */
	uint32_t done[QW_COUNT];	/* raised after it */
	uint32_t zero_tried;		/* messages without bytes */
	uint32_t zero_done;
	uint32_t zero_out;
	uint32_t reading;	/* the victim may be given so many that it has not reported */
	uint32_t acted;
	uint8_t fate[QW_COUNT][QWORLD_SEQS];
};

struct qstate {
	const char *name;
	uint64_t max_items;
	uint64_t max_bytes;
	uint32_t flags;
	bool slow;		/* to step through: only where there is time */
	uint64_t first;		/* number of the first segment; 0: as usual */
	uint32_t through;	/* messages that went through before */
	uint32_t fill;		/* messages in it */
	uint32_t gotten;	/* of these, gotten again */
	uint32_t size;		/* of each; 0: 24 bytes */
	uint32_t rows;		/* and messages of several chunks */
	uint32_t rows_through;	/* such that went through before, of 1 MiB */
	uint32_t zeros;		/* and messages without bytes */
	uint32_t ours;		/* segments in each of which we hold a message */
	bool stuffed;		/* until it takes no more */
	bool dead;		/* somebody has died who held some */
	bool requeued;		/* and was cleaned up after */
	bool ended;
};

struct qworld;

struct qact {
	const char *name;
	void (*warm)(struct qworld *w);	/* what the victim has done before; NULL: it has a seat */
	void (*run)(struct qworld *w);
	bool slow;
	bool needs_dead;
	bool lossy;		/* what is in the queue may go */
	uint32_t drops;		/* messages that it may drop */
	bool first;		/* its first call of all */
};

extern const struct qstate qstates[];
extern const size_t qstate_count;
extern const struct qact qacts[];
extern const size_t qact_count;

struct qworld {
	const struct qact *act;
	const struct qstate *state;
	struct weir_queue *queue;
	struct qledger *ledger;
	struct stepper victim;
	uint8_t *buffer;	/* of a megabyte or two */
	struct weir_taken ours[QWORLD_HELD];
	uint32_t ours_count;
	/* the victim's */
	struct weir_taken held[QWORLD_HELD];
	uint32_t held_count;
	void *claim;
	uint64_t seen_image;
	/* of the last that we were given from each, by their numbers */
	uint32_t next[QW_COUNT];
	uint32_t disorder;
	int64_t died;
	int64_t noticed_ns;	/* after its death all was there; -1: nothing was missing */
	uint32_t used_before;	/* seats */
};

/* A queue in the state, and what belongs to it. The victim is not there yet. */
void qworld_open(struct qworld *w, const struct qact *act, const struct qstate *state);
void qworld_close(struct qworld *w);

/* The victim's life; @arg is the world. */
int qworld_victim(void *arg);

/* Anybody's: put one; the result of the call. */
int qworld_put(struct qworld *w, enum qwriter writer, size_t size, int64_t deadline);
/* Get one and say so. */
int qworld_get(struct qworld *w, int64_t deadline);
/* Take one and hold it; release, or give back, the oldest that is held. */
int qworld_hold(struct qworld *w, int64_t deadline);
void qworld_let_go(struct qworld *w, bool back);

/* What was given to us: NULL, or what is wrong with it. A get does not tell how often it came. */
#define QW_NOT_TOLD UINT32_MAX
const char *qworld_note(struct qworld *w, const void *data, size_t size, uint32_t times);
/* In the victim, of its own: how large a message of several chunks is here. */
size_t qworld_row_size(const struct qworld *w);
size_t qworld_chunk_size(const struct qworld *w);
void qworld_fill(struct qworld *w, enum qwriter writer, uint32_t seq, void *data, size_t size);

/*
 * The survivor's part. The victim must be dead, or stopped; @waits: by sleeping in a call, instead
 * of looking for the dead. scene_fail() if anything is wrong.
 */
void qworld_judge_dead(struct qworld *w, bool waits);
void qworld_judge_meanwhile(struct qworld *w);
/* Nothing is left of anybody but us; @w needs its queue only. */
void qworld_look_for_leaks(struct qworld *w);
/* A number that is the same as long as nothing has changed that others can see. */
uint64_t qworld_image(const void *arg);

#endif
