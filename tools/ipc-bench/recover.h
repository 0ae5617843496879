/* SPDX-License-Identifier: MIT */
/*
 * The workload recover: how long it takes until a death does no harm any more.
 *
 * Worker 0 forks a victim, which uses the object as a program of 16 MiB would, and kills it with
 * SIGKILL at a random moment; the consumers are the survivors. Victims of two kinds take turns:
 *
 *	taken	It has taken a message and keeps it; all survivors sleep in a call that receives.
 *		Over when one of them has that message.
 *	served	It sends as fast as the survivors receive. At once after the kill a message for each
 *		survivor is sent; over when all of them have one.
 *
 * Checked are: the contents and the order of what worker 0 sends, all of which must arrive once;
 * and of the victims' messages that all whose call returned arrive, once, and at most one more for
 * each death.
 */
#ifndef IPC_BENCH_RECOVER_H
#define IPC_BENCH_RECOVER_H

#include <stdint.h>

#define RECOVER_ROUNDS 1024	/* at most, in a repeat */
#define RECOVER_NS INT64_C(30000000)	/* that one takes */

enum recover_kind {
	RECOVER_TAKEN,
	RECOVER_SERVED,
	RECOVER_KINDS,
};

/* What worker 0, victims and survivors share. */
struct recover {
	uint32_t round;		/* survivors go on when it changes; 0: none yet */
	uint32_t ready;		/* the round whose victim is where it shall be killed */
	uint32_t handed;	/* the round whose taken message has been received, */
	int64_t handed_ns;	/* when, */
	uint64_t held;		/* and its header */
	uint32_t served;	/* survivors that are done with this round, */
	int64_t served_ns;	/* and when the last one was */

	/* Messages of victims. */
	uint64_t begun;		/* sends of this victim that were begun */
	uint64_t sent;		/* and those that returned */
	uint64_t certain;	/* of the victims before: returned */
	uint64_t uncertain;	/* neither returned nor not begun */
	uint64_t received;	/* by all survivors */

	uint32_t count[RECOVER_KINDS];
	int64_t ns[RECOVER_KINDS][RECOVER_ROUNDS];
};

struct worker;
struct control;

/* The loops of worker 0 and of the consumers. Return 0 or a negative errno. */
int recover_kill(struct worker *worker);
int recover_survive(struct worker *worker);

/* Add what became of the victims' messages to the verdict. */
void recover_judge(struct control *control);

/* "taken", "served". */
const char *recover_kind_name(enum recover_kind kind);

#endif
