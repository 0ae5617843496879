/* SPDX-License-Identifier: MIT */
#include "value.h"

#include "lock.h"
#include "worker.h"

const char *value_lack(enum value_op op)
{
	static const char *const lacks[VALUE_OPS] = {
		"has no lock",
		"has no atomic increment",
		"has no bytes to read",
		"keeps no reader from reading half of what is written",
	};

	return lacks[op];
}

static const struct loops *loops_of(const struct worker *w)
{
	return mechs[w->control->task.mechanism]->loops;
}

int value_prepare(struct worker *w)
{
	if (value_counts(w->control->task.setup.op) || !loops_of(w)->value_set)
		return 0;
	pattern_write(&w->shape, w->out, pattern_header(0, 0));
	return loops_of(w)->value_set(&w->port, w->out);
}

int value_run(struct worker *w)
{
	const struct task *task = &w->control->task;
	int r;

	if (task_watches(task) && w->side == 0)
		return loops_of(w)->value_write(w);
	r = loops_of(w)->value[task->setup.op](w);
	if (task_watches(task))
		__atomic_store_n(&w->control->value.over, 1, __ATOMIC_RELAXED);
	return r;
}

void value_judge(struct control *control)
{
	control->integrity.corrupted += control->value.torn;
	control->integrity.reordered += control->value.back;
	if (value_counts(control->task.setup.op))
		lock_judge(control);
}
