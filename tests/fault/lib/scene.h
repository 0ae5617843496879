/* SPDX-License-Identifier: MIT */
/*
 * Scenes in which a process dies: who does what on a pipe, in which state, and what each says about
 * it. Three processes take part:
 *
 *	victim	does the act on its end, and is killed or stopped in it; ends[0] if the act reads,
 *		ends[1] if it writes
 *	peer	has the other end: a process of its own that sleeps there, or we ourselves
 *	taker	we; holds a copy of the victim's end and takes over, or has closed it
 *
 * Messages are numbered from 0 in the order in which they are sent, over all owners of the end.
 * What the victim has done is in the ledger, in memory of its own, written after each call that
 * returned.
 */
#ifndef WEIR_TESTS_FAULT_SCENE_H
#define WEIR_TESTS_FAULT_SCENE_H

#include "support.h"
#include "base/atomic.h"
#include "obj/pipe.h"

#define SCENE_CAPACITY	4096
/* What a ring of that size can hold, and the largest message. */
#define SCENE_USABLE	(SCENE_CAPACITY - RECORD_HEADER)
#define SCENE_LARGEST	(SCENE_CAPACITY - 2 * RECORD_HEADER)
/* What buffers hold: some messages are larger than the ring. */
#define SCENE_ROOM	8192
#define LOG_MAX		512
/* A deadline, and no WEIR_FOREVER: as a program has it that waits with one. */
#define FOREVER	(INT64_MAX - 1)
/* Messages with which an owner begins that has been one for a time. */
#define WARM		4
/* And with which the ring has been filled several times. */
#define LAPS		300

struct ledger {
	/* the victim, or an owner before it, sends: tried, and known to be sent */
	uint32_t attempted;
	uint32_t completed;
	/* the victim receives: numbers below this have been reported, so many are asked for now */
	uint32_t reported;
	uint32_t wanted;
	/* the peer, or the taker, has received */
	uint32_t received;
	uint32_t numbers[LOG_MAX];
	int64_t times[LOG_MAX];
	uint32_t broken;	/* of those not whole */
	uint32_t cut;		/* told of messages that were begun and are not to be */
	/* the peer has sent */
	uint32_t sent;
	/* the victim was refused, or has slept for the first time */
	uint32_t refused;
	uint32_t slept;
	/* the victim has come to the end of its act; it may go on */
	uint32_t done;
	uint32_t go;
	/* how the peer's last call ended, and when */
	int32_t result;
	int64_t ended;
};

enum peer {
	PEER_AWAKE,	/* is we; does nothing until the victim is dead */
	PEER_SHALLOW,	/* sleeps on the futex */
	PEER_DEEP,	/* sleeps in ppoll() */
	PEER_POLLS,	/* sleeps in weir_pipe_poll() */
	PEER_LOOPS	/* sleeps in poll() on the descriptor, and receives until it is dry */
};

#define FILL_ALMOST	UINT32_MAX		/* just room for what the act sends */
#define FILL_FULL	(UINT32_MAX - 1)

struct state {
	const char *name;
	enum peer peer;
	uint32_t fill;		/* messages in the ring when the act begins */
	bool wrapped;		/* positions past one lap, the next record runs over the end */
	bool pending;		/* half of a batch has been sent with WEIR_MORE */
	bool armed;		/* the receiving end's descriptor has been asked for */
	bool orphaned;		/* the owner before the victim was killed in the middle of it */
	bool laps;		/* the victim has sent several rings full to the peer */
	bool fenced;		/* a victim that receives has asked for fences and gets them */
	bool rested;		/* so long that all that is done now and then is due */
};

struct world;

/* Sleeps in something that is not the library's. */
#define WAIT_ELSEWHERE 3U

struct act {
	const char *name;
	void (*run)(struct world *w);
	bool reads;
	bool first_use;		/* the victim has not been the owner before */
	bool whole;		/* its messages become visible, or are taken, all at once */
	bool gives_up;		/* the victim is no owner any more when it returns */
	bool arms;		/* asks for the descriptor */
	bool helped;		/* needs a peer that receives what came before */
	bool contends;		/* may find that the end has another owner */
	bool large;		/* its messages are larger than the ring, and come in pieces */
	uint32_t count;		/* messages that it sends or receives */
	uint32_t size;		/* of each */
	uint32_t woken;		/* sleeps, and is woken in this stage; 0: does not sleep */
};

struct scene {
	const struct act *act;
	const struct state *state;
	bool late;		/* the peer comes, and goes to sleep, while the victim is stopped */
};

/* Where a case is, for the message of a failure anywhere below it. */
extern char scene_where[320];
__attribute__((format(printf, 1, 2))) _Noreturn void scene_fail(const char *format, ...);

/* Those in which messages are written and read in place, and those with large ones. */
extern const struct scene scenes_in_place[];
extern const size_t scenes_in_place_count;

/* All scenes there are. */
size_t scene_count(void);
struct scene scene_at(size_t index);
const char *scene_name(const struct scene *scene);
/* Whether the peer has something to do while the victim is stopped. */
static inline bool scene_has_part(const struct scene *scene)
{
	if (scene->act->helped || scene->state->laps || (scene->act->large && scene->act->reads))
		return false;
	return scene->state->peer != PEER_AWAKE || scene->act->woken || scene->act->contends;
}

/* One performance. */
struct world {
	const struct scene *scene;
	struct weir_end *ends[2];
	struct ledger *ledger;
	struct stepper victim;
	struct child peer;	/* pid 0: there is none */
	struct weir_msg *messages;	/* the victim's, made before it begins */
	/* what it has received last, to be looked at when it is not stepped any more; or NULL */
	const struct weir_msg *last;
	int64_t opened;
	uint8_t *memory;	/* the whole segment, for us to look at */
	size_t memory_size;
	/* the ledger when the act begins */
	uint32_t attempted;
	uint32_t completed;
	uint32_t reported;
	uint32_t there;		/* messages that could be received when the victim died */
	bool half;		/* half a message is in the ring, or has been received by us */
	bool woken;		/* the victim has been, by us */
	bool taken;		/* its end, by us, while it was stopped */
	bool closed;		/* the victim has closed its end itself */
	/* for the judge: a victim that lives; how long those who have ended had no processor */
	pid_t survivor;
	int64_t starved;
};

/* For words of the ledger: in the order in which they stand in the program. */
static inline void say(uint32_t *word, uint32_t value)
{
	store_release(word, value);
}

static inline int scene_victim_end(const struct scene *scene)
{
	return scene->act->reads ? 0 : 1;
}

/* The processes; @arg is the world. */
int scene_victim(void *arg);
int scene_peer(void *arg);
/* An owner before the victim, which kills itself. */
int scene_predecessor(void *arg);
/* A writer to a victim that is to get fences: those are asked for before it sends. */
int scene_fencer(void *arg);

/* Messages: make the one with @number; note one that has been received. */
void scene_fill(void *buffer, uint32_t number, uint32_t size);
bool scene_whole(const void *buffer, size_t size);
void scene_log(struct ledger *ledger, const void *buffer, size_t size);

/* Send the next message as the one who counts in the ledger. */
int scene_send(struct world *w, uint32_t size, uint32_t flags, int64_t deadline);
/* Receive what is there and log it; the error that ended it. */
int scene_drain(struct world *w, uint32_t most, int64_t deadline);

#endif
