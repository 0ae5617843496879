/* SPDX-License-Identifier: MIT */
/*
 * A mechanism: one way to move messages between processes, or to share something.
 *
 * Each lives in a file of its own, mech-<name>.c with '-' kept, and in the table of mech.c; a test
 * compares the two. The life of an object in one repeat:
 *
 *	repeat process	create()
 *	worker i	(after fork) close() of the side that is not its own, open() of the one that
 *			is, then the loops
 *	repeat process	(after fork) close() of both sides, so that a worker that dies is noticed
 *			remove() when the workers are gone
 *
 * Messages all have the same size, so that a stream of bytes needs no framing.
 */
#ifndef IPC_BENCH_MECH_H
#define IPC_BENCH_MECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MECH_WHY 200	/* bytes for a reason */
#define MECH_ROOM 64	/* bytes before a message that belong to the mechanism */

#define SIDE_MAX 64	/* workers on a side */
#define WORKERS_MAX (2 * SIDE_MAX)

/* How to wait; the words of --wait in this order. */
enum wait {
	WAIT_OWN,		/* what a user gets without choosing */
	WAIT_SPIN,		/* a non-blocking call in a loop, one pause per failed try */
	WAIT_BLOCK,		/* the mechanism's sleeping call */
	WAIT_ADAPTIVE,		/* retry for about the time of a wake-up, then sleep */
	WAITS,
};

/* How those talk to the kernel that have a choice; the words of --engine in this order. */
enum engine {
	ENGINE_EPOLL,		/* plain system calls, and epoll(7) for many objects */
	ENGINE_URING,
	ENGINE_AUTO,		/* what a user gets without choosing */
	ENGINES,
};

/* Where a pump moves messages; the words of --to in this order. */
enum target {
	TARGET_FILE,
	TARGET_SOCKET,
	TARGETS,
};

/* What is done with a value; the words of --op in this order. */
enum value_op {
	VALUE_INCREMENT,	/* + 1, with its lock */
	VALUE_ATOMIC,		/* + 1, without */
	VALUE_READ,		/* all bytes as they were at one moment */
	VALUE_READ_WRITE,	/* the same while another process writes all of them */
	VALUE_OPS,
};

/* What a mechanism is told. */
struct setup {
	size_t size;		/* bytes of each message */
	uint32_t batch;		/* messages per call */
	enum wait wait;
	bool duplex;		/* both directions are needed (rtt) */
	bool many;		/* any number of processes on each side (mpmc, recover), */
	uint32_t workers[2];	/* and how many there are */
	uint64_t capacity;	/* bytes that may be queued; 0: as it comes */
	int64_t wake_ns;	/* how long an adaptive wait retries before it sleeps */
	uint32_t touch;		/* enum pattern_touch, for those with other processes */
	uint32_t fault;		/* enum fault, for the self-test */
	enum engine engine;	/* fanout, waitmany, pump */
	enum target target;	/* pump */
	enum value_op op;	/* value */
	uint32_t objects;	/* fanout, waitmany: how many; otherwise 1 */
	uint32_t active;	/* waitmany: those that get a message in each round */
	bool further;		/* an object of this repeat is there already */
};

/* How one side reaches the object. Which fields are used is the mechanism's business. */
struct port {
	int in;			/* descriptor to receive from, -1 if none */
	int out;		/* descriptor to send to, -1 if none */
	void *source;		/* object to receive from */
	void *sink;		/* object to send to */
	size_t size;		/* copied from the setup, for the loops */
	uint32_t batch;
	enum wait wait;
	int64_t wake_ns;
	uint32_t flags;		/* of the calls */
	int64_t deadline;	/* of the calls */
};

/* Places for the names of objects that outlive their processes; -1 and "" are empty. In shared
 * memory, so that the controller can remove them when their makers cannot. */
#define LEFTOVERS 2
struct leftovers {
	int msgid[LEFTOVERS];
	int semid;
	char file[112];
};

/* An object, with two sides: 0 sends the stream or pings, 1 receives it or answers. Each worker has
 * its own copy of this, and with mpmc several have the same side. */
struct link {
	struct setup setup;
	struct port port[2];
	struct leftovers *leftovers;
	int socket[2];			/* attach: of worker 0 and 1 */
	uint64_t capacity_bytes;	/* set by create(): of a direction; 0: no limit */
	uint64_t capacity_msgs;		/* set by create(), if that is a setting; 0: try_send() */
	uint64_t memory_bytes;		/* set by create(): what one object takes */
	uint64_t token;			/* of the mechanism: a number that no other object has */
	pid_t helper[WORKERS_MAX];	/* does the work of a worker; 0: itself */
	int worker;			/* which one this process is; -1: none */
	void *memory;			/* of the mechanism */
	size_t memory_size;
};

struct worker;
struct crowd;
struct pump_way;

/* The loops of the workloads, compiled once per kind of call: loops.inc.h. Each returns 0 or a
 * negative errno of the mechanism. */
struct loops {
	int (*stream_send)(struct worker *worker);
	int (*stream_recv)(struct worker *worker);
	int (*rtt_ping)(struct worker *worker);
	int (*rtt_pong)(struct worker *worker);
	int (*oneway_send)(struct worker *worker);
	int (*oneway_recv)(struct worker *worker);
	int (*mpmc_send)(struct worker *worker);
	int (*mpmc_recv)(struct worker *worker);
	/* One message, for workloads that are about something else. */
	int (*one_send)(struct worker *worker, uint64_t header);
	int (*one_recv)(struct worker *worker, uint64_t *ret_header, uint64_t *ret_sum);
	/* Acquire and release, again and again; what is done with a value, and of the last op the
	 * side that writes. NULL: not measured. */
	int (*lock)(struct worker *worker);
	int (*value[VALUE_OPS])(struct worker *worker);
	int (*value_write)(struct worker *worker);
	/* What the value is before that. NULL: all bytes 0. */
	int (*value_set)(struct port *port, const void *bytes);
	/* The calls alone, with a message that is elsewhere. NULL: in place. */
	int (*put)(struct port *port, const void *message);
	int (*get)(struct port *port, void *message);
};

/* What a mechanism can do, for `list`. */
#define MECH_BOUNDARIES	(UINT32_C(1) << 0)	/* keeps the boundaries of messages */
#define MECH_DUPLEX	(UINT32_C(1) << 1)	/* one object carries both directions */
#define MECH_POLL	(UINT32_C(1) << 2)	/* has a descriptor for poll(2) */
#define MECH_BATCH	(UINT32_C(1) << 3)	/* has a call for many messages */
#define MECH_MANY	(UINT32_C(1) << 4)	/* many writers and readers on one object */
#define MECH_COPIES0	(UINT32_C(1) << 5)	/* no copy */
#define MECH_COPIES1	(UINT32_C(1) << 6)	/* one copy */
#define MECH_COPIES2	(UINT32_C(1) << 7)	/* two copies: in and out */
#define MECH_SYSCALLS	(UINT32_C(1) << 8)	/* a system call for every message */
#define MECH_NAMED	(UINT32_C(1) << 9)	/* unrelated processes can find it by its name */
#define MECH_ANY_SIZE	(UINT32_C(1) << 10)	/* carries more than what can be queued */
#define MECH_BYTES	(UINT32_C(1) << 11)	/* one read(2) takes several messages */
#define MECH_PUMP_ONLY	(UINT32_C(1) << 12)	/* differs from another in this workload alone */
#define MECH_FLOOR	(UINT32_C(1) << 13)	/* is no contestant, but what none can beat */

struct mech {
	const char *name;
	const char *summary;		/* half a line for `list` */
	/* what to install when it is missing; NULL: part of the tool */
	const char *package;
	/* stands beside its rows, when they need a word; NULL */
	const char *label;
	uint32_t capabilities;
	uint64_t size_max;		/* largest message known beforehand; 0: ask create() */
	int64_t start_ns;		/* how long create() takes, when that is long */

	/* Whether it works here. NULL: always. On false @why says what is missing. */
	bool (*available)(char why[MECH_WHY]);

	/* Whether it has this wait strategy, batch and size. NULL: all of them. On false @why says
	 * why not. Called while the run is planned: decides from the setup alone. */
	bool (*can)(const struct setup *setup, char why[MECH_WHY]);

	/* Make the object: ports, capacity_bytes, memory_bytes. The ports come zeroed with in and
	 * out -1 and the copied fields set. Returns 0, or a negative errno with @why; what was
	 * made is then gone again. */
	int (*create)(struct link *link, char why[MECH_WHY]);

	/* For attach: the object by no other calls than a user makes; a side's way to a process
	 * that has a Unix socket in common; and the bytes that the kernel holds for it, besides
	 * what describes it. accept() sets the port; -EPIPE: nothing more comes. NULL: attach is
	 * not measured, or, for @pass and @accept alone, without that phase. */
	int (*make)(struct link *link);
	int (*pass)(struct link *link, int side, int socket);
	int (*accept)(struct link *link, int side, int socket);
	uint64_t (*held)(const struct link *link);

	/* For recover, by a process that sends: take the oldest message and keep it until death,
	 * when others get it. NULL: what a process has received dies with it. */
	int (*hold)(struct link *link);

	/* Several objects in one process, for fanout and waitmany. NULL: they are not measured. */
	const struct crowd *crowd;

	/* From the object to a descriptor, for pump. NULL: it is not measured. */
	const struct pump_way *pump;

	/* In worker @side, on its CPU, first in that of side 0: what cannot be made before the
	 * fork. NULL: nothing. Returns 0 or a negative errno. */
	int (*open)(struct link *link, int side);

	/* Send one message on side 0 without waiting: 0, -EAGAIN when full, other errors. Used to
	 * count how many messages fit. NULL: nobody can tell, or create() does. */
	int (*try_send)(struct link *link, const void *message);

	/* Close this process's hold on a side. NULL: close the descriptors in and out. */
	void (*close)(struct link *link, int side);

	/* Remove what closing leaves. Once, in the process that created it. NULL: nothing. */
	void (*remove)(struct link *link);

	/* Those of messages, or lock, or values, or several of these. */
	const struct loops *loops;
};

/* The table: all mechanisms a user can choose, in the order of the reports; then, up to
 * mech_count_all, those of the self-test. */
extern const struct mech *const mechs[];
extern const size_t mech_count;
extern const size_t mech_count_all;

/* The names of the table, for parse_words(); NULL at the end. */
const char *const *mech_names(void);

/* Position in the table, or -1. */
int mech_find(const char *name);

/* Whether it moves messages; others are locks, or values. */
bool mech_sends(const struct mech *mech);

/* Whether it has some operation of the workload value. */
bool mech_has_value(const struct mech *mech);

/* The ports of an object that is to be made. */
void mech_blank(struct link *link);

/* make() after that. */
int mech_make(const struct mech *mech, struct link *link);

/* create() and the generic parts of its contract. */
int mech_create(const struct mech *mech, struct link *link, char why[MECH_WHY]);
void mech_close(const struct mech *mech, struct link *link, int side);
void mech_remove(const struct mech *mech, struct link *link);

/* Whether the mechanism is there and can do this. */
bool mech_available(const struct mech *mech, char why[MECH_WHY]);
bool mech_can(const struct mech *mech, const struct setup *setup, char why[MECH_WHY]);

/* Fill @why and return -@error; "what: its text" when @what is not NULL. */
int mech_fail(char why[MECH_WHY], const char *what, int error);

#endif
