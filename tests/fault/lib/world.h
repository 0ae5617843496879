/* SPDX-License-Identifier: MIT */
/*
 * One performance of a scene: set up, brought to a point of the victim's way and struck there; what
 * is left is then looked at.
 */
#ifndef WEIR_TESTS_FAULT_WORLD_H
#define WEIR_TESTS_FAULT_WORLD_H

#include "fault/lib/scene.h"
#include "fault/lib/way.h"

/* Who has a copy of the victim's end, and what becomes of it. */
enum heir {
	HEIR_NONE,	/* nobody: the peer must learn of the death */
	HEIR_TAKES,	/* we, and we go on where the victim has stopped */
	HEIR_IDLE,	/* we, and we do nothing: what was completed arrives all the same */
	HEIR_COUNT
};

/* Whether the scene has something to say about such an heir. */
bool heir_possible(enum heir heir, const struct scene *scene);

/*
 * The victim stands at the beginning of its act, and the peer is on its way to sleep. @ledger is
 * from shared_alloc().
 */
void world_open(struct world *w, const struct scene *scene, struct ledger *ledger, enum heir heir);
/* The peer has fallen asleep as the state wants it. False if it is too late for that. */
bool world_ready(struct world *w);
/* The peer of a scene where it comes late; world_ready() tells when it sleeps. */
void world_peer_comes(struct world *w);
/* What is the same in each performance at the same instruction: for way_record. A world. */
uint64_t world_image(const void *arg);
/* Wakes the victim when it sleeps where the act wants it: a way_asleep. */
void world_wake(void *arg);
/* Do what would wake the victim, whether it sleeps or not. */
void world_wake_anyway(struct world *w);
/* Be the one whom the victim contends with, for its end. */
void world_contend(struct world *w);
/* Where the reader has told the writer that it is. */
uint64_t world_published(const struct world *w);
/* Whether there is a message that the reader could see. */
bool world_visible(const struct world *w);
/* Whether the reader has not received all that a writer, who has just taken over, has found. */
bool world_unread(const struct world *w);
/* Whether the last message has begun and not ended, as its receiver sees it: we. */
bool world_half(const struct world *w);
/* Free what is left and end those who still live. */
void world_close(struct world *w);

/* What is found after a death at time @died. */
struct finding {
	uint32_t moved;		/* messages sent, or taken, by the act; never falls */
	int64_t notice_ns;	/* until a peer in a call knew of the death; -1: there was none */
	char wrong[256];	/* what must not be; empty if all is well */
};

struct finding world_judge(struct world *w, enum heir heir, int64_t died);

/*
 * The victim stands still, and lives. What must not be, or NULL; may be called again and again.
 * @ret_free: its end can be had by another process.
 */
const char *world_look(struct world *w, bool *ret_free);
/* It runs on: all that it attempts arrives once. */
struct finding world_judge_survivor(struct world *w, struct child *victim);
/* The same after world_contend(): one of the two, and only one, has become the owner. */
struct finding world_judge_contest(struct world *w, struct child *victim);

#endif
