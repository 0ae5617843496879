/* SPDX-License-Identifier: MIT */
/*
 * weir_array(): of words, or of bytes where that is not a whole number of them; read and written
 * all at once.
 */
#include <errno.h>

#include "lock.h"
#include "value-act.h"
#include "weir-files.h"
#include "weir/array.h"

static uint64_t type;	/* of an element, the same in all processes */
static uint64_t count;

/* Nobody dies here: to be told so is an error. */
static inline int done(int r)
{
	return __builtin_expect(r > 0, 0) ? -EOWNERDEAD : r;
}

static inline int port_set(struct port *port, const void *bytes)
{
	return done(weir_array_write(port->sink, type, 0, count, bytes, 0, WEIR_FOREVER));
}

static inline int port_get(struct port *port, void *bytes)
{
	return weir_array_read(port->sink, type, 0, count, bytes, 0, WEIR_FOREVER);
}

static inline int port_number(struct port *port, void *number)
{
	return WEIR_ARRAY_LOAD(port->sink, 0, (uint64_t *)number);
}

/* With the lock held also in between, so that it is an update that a death leaves whole. */
static int increment_act(struct worker *w)
{
	struct weir_array *array = w->port.sink;
	uint64_t number;
	int r = done(weir_array_acquire(array, 0, WEIR_FOREVER));

	if (r == 0)
		r = WEIR_ARRAY_GET(array, 0, &number, 0, WEIR_FOREVER);
	if (r < 0)
		return r;
	number++;
	r = WEIR_ARRAY_SET(array, 0, &number, 0, WEIR_FOREVER);
	return r < 0 ? r : weir_array_release(array);
}

static int weir_increment(struct worker *w)
{
	return value_increments(w, increment_act, port_number);
}

static int add_act(struct worker *w)
{
	const uint64_t one = 1;

	return weir_array_add(w->port.sink, WEIR_TYPE_UINT64, 0, &one, NULL);
}

static int weir_add(struct worker *w)
{
	return value_increments(w, add_act, port_number);
}

static int read_act(struct worker *w)
{
	return value_read_act(w, port_get);
}

static int weir_read(struct worker *w)
{
	return acts(w, read_act);
}

static int weir_write(struct worker *w)
{
	return value_writes(w, port_set);
}

static int weir_set(struct port *port, const void *bytes)
{
	return port_set(port, bytes);
}

static const struct loops weir_loops = {
	.value = {
		[VALUE_INCREMENT] = weir_increment,
		[VALUE_ATOMIC] = weir_add,
		[VALUE_READ] = weir_read,
		[VALUE_READ_WRITE] = weir_read,
	},
	.value_write = weir_write,
	.value_set = weir_set,
};

static int weir_create(struct link *link, char why[MECH_WHY])
{
	struct weir_array_options options = { .size = sizeof(options) };
	uint64_t before = weir_files(false);
	struct weir_array *array;
	int r;

	type = link->setup.size % 8 ? WEIR_TYPE_UINT8 : WEIR_TYPE_UINT64;
	options.count = count = link->setup.size / WEIR_TYPE_SIZE(type);
	options.type = type;
	r = weir_array(&array, &options);
	if (r < 0)
		return mech_fail(why, "weir_array", r);
	link->port[0].sink = link->port[1].sink = array;
	link->memory_bytes = weir_files(false) - before;
	return 0;
}

static void weir_remove(struct link *link)
{
	weir_array_close(link->port[0].sink);
}

const struct mech mech_weir_array = {
	.name = "weir-array",
	.summary = "weir_array(3) of words, read and written as a whole",
	.can = lock_can,
	.create = weir_create,
	.close = lock_leave,	/* others use the handle of the process that made it */
	.remove = weir_remove,
	.loops = &weir_loops,
};
