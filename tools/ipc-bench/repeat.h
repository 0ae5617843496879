/* SPDX-License-Identifier: MIT */
/*
 * One repeat of one configuration, in a process of its own that is executed anew each time: no
 * heap, no page and no branch history of the repeat before survives.
 */
#ifndef IPC_BENCH_REPEAT_H
#define IPC_BENCH_REPEAT_H

#include "control.h"

#define REPEAT_COMMAND "_repeat"

/*
 * The hidden command: do the task in the control memory at descriptor @fd. Returns the exit code.
 */
int repeat_main(const char *fd);

enum repeat_outcome {
	OUTCOME_DONE,		/* control->status tells */
	OUTCOME_HUNG,		/* not done by the deadline, and killed */
	OUTCOME_INTERRUPTED,	/* a signal asked the controller to stop */
	OUTCOME_ERROR,		/* could not be started */
};

/*
 * The controller's side: execute a repeat process and sleep until it is done or @deadline (of
 * bench_now()) has passed; what is still running then is killed and what it left is removed.
 */
enum repeat_outcome repeat_execute(struct control *control, int control_fd, int64_t deadline);

/* From here on SIGINT, SIGTERM and SIGHUP end a repeat in an orderly way. */
void repeat_catch_signals(void);

/* The signal that came, 0 if none. */
int repeat_signal(void);

#endif
