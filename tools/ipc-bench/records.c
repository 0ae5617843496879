/* SPDX-License-Identifier: MIT */
#include "records.h"

#include <errno.h>
#include <sys/mman.h>

#define LINE 128

static struct {
	struct stamp *stamps;
	struct pattern_sent *sent;
	unsigned char *check;
	size_t check_size;
	unsigned int first;
	struct hist *hist;	/* of the workers behind the first that has times */
} records;

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int records_create(const struct task *task)
{
	/* A pinger receives what the other side numbers as its own. */
	unsigned int producers = task->workload == WORKLOAD_RTT	       ? 2
				 : task->workload == WORKLOAD_WAITMANY ? task->setup.objects
								       : task->producers;
	/* Of one object several share the messages. */
	bool several = task->consumers > 1 && task->setup.many;
	size_t size = (pattern_check_size(producers) + LINE - 1) / LINE * LINE;

	records.check_size = size;
	records.stamps = shared(sizeof(struct stamp) * STAMPS * task->producers);
	records.check = shared(size * task_workers(task));
	records.first = task_shares(task) ? 0 : task->producers;
	records.hist = shared(sizeof(struct hist) * task_workers(task));
	records.sent = shared(sizeof(struct pattern_sent) * producers);
	if (!records.stamps || !records.check || !records.hist || !records.sent)
		return -ENOMEM;
	for (unsigned int i = 0; i < task_workers(task); i++)
		pattern_check_init(records_check(i), producers, several);
	return 0;
}

struct stamp *records_stamps(void)
{
	return records.stamps;
}

struct pattern_sent *records_sent(void)
{
	return records.sent;
}

struct pattern_check *records_check(unsigned int worker)
{
	return (void *)(records.check + worker * records.check_size);
}

struct hist *records_hist(struct control *control, unsigned int worker)
{
	return worker > records.first ? &records.hist[worker] : &control->hist;
}

void records_merge(struct control *control)
{
	for (unsigned int i = records.first + 1; i < task_workers(&control->task); i++)
		hist_merge(&control->hist, records_hist(control, i));
}
