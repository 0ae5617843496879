/* SPDX-License-Identifier: MIT */
/* weir_pump(), without frames: what arrives are the bytes that the other ways move. */
#include <errno.h>
#include <stdio.h>

#include "crowd-weir.h"
#include "pump.h"
#include "weir/pump.h"
#include "worker.h"

static struct weir_pump *pump;

typedef int pump_call(struct weir_pump **ret_pump, struct port *port, int fd,
		      const struct weir_pump_options *options);

static int pump_end(struct weir_pump **ret_pump, struct port *port, int fd,
		    const struct weir_pump_options *options)
{
	return weir_pump_pipe(ret_pump, port->source, fd, WEIR_PUMP_OUT, options);
}

static int pump_queue(struct weir_pump **ret_pump, struct port *port, int fd,
		      const struct weir_pump_options *options)
{
	return weir_pump_queue(ret_pump, port->source, fd, WEIR_PUMP_OUT, options);
}

static int open_pump(struct worker *w, int fd, pump_call *call, char why[MECH_WHY])
{
	struct weir_pump_options options = {
		.size = sizeof(options),
		.flags = WEIR_PUMP_RAW,
		.engine = crowd_weir_engine(w),
	};
	int r = call(&pump, &w->port, fd, &options);

	if (r < 0)
		snprintf(why, MECH_WHY, "weir_pump: %s", weir_strerror(r));
	return r;
}

static int pipe_open(struct worker *w, int fd, char why[MECH_WHY])
{
	return open_pump(w, fd, pump_end, why);
}

static int queue_open(struct worker *w, int fd, char why[MECH_WHY])
{
	return open_pump(w, fd, pump_queue, why);
}

static int64_t move(struct worker *w, int fd, uint64_t bytes)
{
	struct weir_pump_stat stat = { .size = sizeof(stat) };
	int64_t n;

	(void)fd;
	n = weir_pump_run(pump, bytes / w->port.size, w->port.flags, WEIR_FOREVER);
	/* Once a piece, and no system call: an engine may be opened when it is needed first. */
	if (weir_pump_stat(pump, &stat) == 0)
		crowd_weir_ran(w, stat.engine);
	return n == 0 ? -EPIPE : n < 0 ? n : n * (int64_t)w->port.size;
}

const struct pump_way pump_weir_pipe = { .open = pipe_open, .move = move };
const struct pump_way pump_weir_queue = { .open = queue_open, .move = move };
