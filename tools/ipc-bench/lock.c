/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>

#include "control.h"

#define PAGE 4096

bool lock_can(const struct setup *setup, char why[MECH_WHY])
{
	if (setup->wait == WAIT_OWN)
		return true;
	snprintf(why, MECH_WHY, "waits in its own way");
	return false;
}

int lock_create(struct link *link, size_t size, char why[MECH_WHY])
{
	link->memory_size = (size + PAGE - 1) / PAGE * PAGE;
	link->memory = mmap(NULL, link->memory_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (link->memory == MAP_FAILED)
		return mech_fail(why, "mmap", errno);
	link->port[0].sink = link->port[1].sink = link->memory;
	link->memory_bytes = size;
	return 0;
}

void lock_remove(struct link *link)
{
	munmap(link->memory, link->memory_size);
}

void lock_leave(struct link *link, int side)
{
	(void)link;
	(void)side;
}

double lock_fairness(const struct control *control)
{
	const struct task *task = &control->task;
	uint64_t least = UINT64_MAX, most = 0;

	if (!task_shares(task) || task_watches(task) || task->messages || task_workers(task) < 2)
		return NAN;
	for (unsigned int i = 0; i < task_workers(task); i++) {
		uint64_t done = control->worker[i].pass[PASS_TIMED].done;

		least = done < least ? done : least;
		most = done > most ? done : most;
	}
	return (double)least / (double)most;
}

void lock_judge(struct control *control)
{
	uint64_t wanted = 0, count = control->lock.counter;

	for (unsigned int i = 0; i < task_workers(&control->task); i++)
		wanted += control->worker[i].sent.count;
	if (count < wanted)
		control->integrity.lost += wanted - count;
	if (count > wanted)
		control->integrity.duplicated += count - wanted;
}
