/* SPDX-License-Identifier: MIT */
/*
 * A child, and what this process knows of all its children and of itself.
 *
 * The handles are in a list, under a lock that fork(3) takes: so a forked child, whoever made it,
 * finds the list whole and closes what it has inherited of it. That matters for the *lines*. The
 * parent has the writing end of a pipe(2) for each daemonic child, and the kernel signals the child
 * when the last copy of it is closed: by the end of the parent, however it ends. A copy in a
 * sibling would keep the line up.
 *
 * All signals are held back while the lock is held: a handler that forks would wait for it for
 * ever.
 */
#ifndef WEIR_OBJ_PROCESS_H
#define WEIR_OBJ_PROCESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys/task.h"
#include "weir/process.h"

struct weir_process {
	struct weir_process *next;
	uint32_t generation;	/* of the process that it belongs to */
	int32_t parent;		/* the number of that */
	int32_t pid;		/* 0 until it is made */
	int fd;			/* a pidfd, -1 until it is made, and in a forked child */
	int line;		/* daemonic: the writing end */
	uint32_t flags;
	int signal;
	/* While it is made: who makes it, the reading end, and the gate where it waits to begin. */
	bool starting;
	pthread_t maker;
	int line_end;
	int gate[2];
	/* How it ended. */
	bool ended;
	bool known;		/* the exit code is */
	int code;
	char *name;
	char *path;		/* the numbers of its ancestors and its own: "1:2" */
};

/*
 * The list: process-list.c
 */

struct list_lock {
	struct signal_mask signals;
	bool locked;
};

/* Be ready for forks and for the end of this process: 0, or -ENOMEM. Before all others. */
int process_list_begin(void);
void process_list_lock(struct list_lock *lock);
void process_list_unlock(const struct list_lock *lock);
/* Locked: make it one of ours; take it out of the list. */
void process_list_add(struct weir_process *p);
void process_list_remove(struct weir_process *p);
/* Locked: a number for the next name. */
uint32_t process_list_count(void);
/* Whether it belongs to this process, and not to one that has forked it. */
bool process_is_ours(const struct weir_process *p);
/* Locked: reap it if it has ended: 0 then; -EAGAIN: it has not; or an error. */
int process_look(struct weir_process *p);
/* Tell daemonic children to end, wait for all: the end of this process. */
void process_end_children(void);

/*
 * This process: process-self.c
 */

/* The environment variable that an executed program is told by. */
#define PROCESS_VARIABLE "WEIR_PROCESS"

struct process_self {
	int32_t pid;		/* whose all this is; 0: not yet known */
	int32_t parent;		/* 0: nobody has made it */
	uint32_t flags;
	const char *name;
	const char *path;	/* "" for the first of all */
};

const struct process_self *process_self(void);
/* In a forked child: who it is from now on. */
void process_become(const struct weir_process *p);
/* What an executed program is told by: "NAME=..."; freed by the caller. NULL: no memory. */
char *process_introduction(const struct weir_process *p);
/* In the child, where its number is known: write it. Async-signal-safe. */
void process_introduce(char *introduction, int32_t pid);

/*
 * Making: process.c
 */

bool process_options_valid(const struct weir_process_options *o, bool spawn);
/* One that is ready to be forked, in the list; daemonic: its line is made and armed. */
int process_prepare(const struct weir_process_options *o, bool gate, struct weir_process **ret);
/* It runs: what only its beginning needs is closed. */
void process_made(struct weir_process *p);
/* It does not, or no longer: 0 or its number, if it has to be reaped. */
void process_unmade(struct weir_process *p, int32_t pid);

#endif
