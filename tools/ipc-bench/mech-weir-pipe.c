/* SPDX-License-Identifier: MIT */
/*
 * weir_pipe() through its public calls. Without --capacity exactly what NULL options give: a
 * duplex pipe, of which the stream uses one direction.
 *
 * Waiting is a matter of the flags and the deadline that every call takes, so there is one loop:
 * with a deadline -EAGAIN does not come.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bench/clock.h"
#include "mech.h"
#include "weir/pipe.h"

#define BATCH_MAX 4096

static struct weir_msg out_batch[BATCH_MAX];
static struct weir_msg in_batch[BATCH_MAX];

static inline int port_send(struct port *port, const void *message)
{
	int r;

	while ((r = weir_pipe_send(port->sink, message, port->size, port->flags, port->deadline)) ==
	       -EAGAIN)
		bench_pause();
	return r;
}

static inline int port_recv(struct port *port, void *message)
{
	size_t size;
	int r;

	while ((r = weir_pipe_recv(port->source, message, port->size, port->flags, port->deadline,
				   &size)) == -EAGAIN)
		bench_pause();
	if (__builtin_expect(r == 0 && size != port->size, 0))
		return -EMSGSIZE;
	return r;
}

static inline int port_send_many(struct port *port, size_t count)
{
	size_t done = 0;
	int r;

	while (done < count) {
		r = weir_pipe_send_batch(port->sink, out_batch + done, count - done, port->flags,
					 port->deadline);
		if (r >= 0)
			done += (size_t)r;
		else if (r != -EAGAIN)
			return r;
		else
			bench_pause();
	}
	return 0;
}

static inline int port_recv_many(struct port *port)
{
	int r;

	while ((r = weir_pipe_recv_batch(port->source, in_batch, port->batch, port->flags,
					 port->deadline)) == -EAGAIN)
		bench_pause();
	for (int i = 0; i < r; i++)
		if (__builtin_expect(in_batch[i].size != port->size, 0))
			return -EMSGSIZE;
	return r;
}

static void fill_batch(struct weir_msg *batch, unsigned char *messages, size_t stride,
		       const struct port *port)
{
	for (size_t i = 0; i < port->batch; i++)
		batch[i] = (struct weir_msg){
			.data = messages + i * stride,
			.size = port->size,
			.room = port->size,
		};
}

struct worker;
static void port_batch(struct worker *w);

#define LOOPS_BATCH
#include "loops.inc.h"

static void port_batch(struct worker *w)
{
	fill_batch(out_batch, w->out, w->stride, &w->port);
	fill_batch(in_batch, w->in, w->stride, &w->port);
}

static const struct loops weir_loops = LOOPS;

static bool weir_can(const struct setup *setup, char why[MECH_WHY])
{
	if (setup->batch <= BATCH_MAX)
		return true;
	snprintf(why, MECH_WHY, "this tool makes batches of at most %d", BATCH_MAX);
	return false;
}

#define FILES_MAX 64

/* Whether a file is among the @count in @seen; adds it. */
static bool known(ino_t seen[FILES_MAX], size_t *count, ino_t file)
{
	for (size_t i = 0; i < *count; i++)
		if (seen[i] == file)
			return true;
	if (*count < FILES_MAX)
		seen[(*count)++] = file;
	return false;
}

/* Memory behind the descriptors of this process that are memory files, each file once. The
 * library tells no size, but every page of a pipe is in such a file. */
static uint64_t memory_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	ino_t seen[FILES_MAX];
	struct dirent *entry;
	size_t count = 0;
	uint64_t sum = 0;
	struct stat st;

	while (folder && (entry = readdir(folder)))
		if (fstat(atoi(entry->d_name), &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_nlink == 0 && !known(seen, &count, st.st_ino))
			sum += (uint64_t)st.st_size;
	if (folder)
		closedir(folder);
	return sum;
}

static void set_waiting(struct port *port)
{
	port->deadline = port->wait == WAIT_SPIN ? 0 : WEIR_FOREVER;
	port->flags = port->wait == WAIT_BLOCK ? WEIR_NOSPIN : 0;
}

static int weir_create(struct link *link, char why[MECH_WHY])
{
	struct weir_pipe_options options = {
		.size = sizeof(options),
		.capacity = link->setup.capacity,
	};
	uint64_t before = memory_files();
	struct weir_end *ends[2];
	int r;

	r = weir_pipe(ends, link->setup.capacity ? &options : NULL);
	if (r < 0) {
		snprintf(why, MECH_WHY, "weir_pipe: %s", weir_strerror(r));
		return r;
	}
	for (int side = 0; side < 2; side++) {
		link->port[side].sink = link->port[side].source = ends[side];
		set_waiting(&link->port[side]);
	}
	link->capacity_bytes = link->setup.capacity ? link->setup.capacity : WEIR_PIPE_CAPACITY;
	link->memory_bytes = memory_files() - before;
	return 0;
}

static int weir_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];

	return weir_pipe_send(port->sink, message, port->size, 0, 0);
}

static void weir_leave(struct link *link, int side)
{
	weir_pipe_close(link->port[side].sink);
	link->port[side].sink = link->port[side].source = NULL;
}

const struct mech mech_weir_pipe = {
	.name = "weir-pipe",
	.summary = "weir_pipe(3) with NULL options, 256 KiB a direction",
	.capabilities = MECH_BOUNDARIES | MECH_DUPLEX | MECH_POLL | MECH_BATCH | MECH_COPIES2,
	.can = weir_can,
	.create = weir_create,
	.try_send = weir_try,
	.close = weir_leave,
	.loops = &weir_loops,
};
