/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

int32_t task_other_cpu(const struct task *task)
{
	for (unsigned int i = 1; i < task_workers(task); i++)
		if (task->cpu[i] != task->cpu[0])
			return task->cpu[i];
	return task->cpu[0];
}

void task_counters(const struct task *task, unsigned int *ret_first, unsigned int *ret_last)
{
	/* Answers come back to the pinger; worker 0 makes objects, kills; locks have one side. */
	bool back = task->workload == WORKLOAD_RTT || !task_moves(task) ||
		    (task_shares(task) && !task_watches(task));

	*ret_first = back ? 0 : task->producers;
	if (task->workload == WORKLOAD_PUMP)	/* what is behind the pump, if there is anybody */
		*ret_first = task_workers(task) - 1;
	*ret_last = back ? task->producers : task_workers(task);
}

uint64_t control_syscalls(const struct control *control)
{
	uint64_t aside = 0;

	for (unsigned int i = 0; i < task_workers(&control->task); i++)
		aside += control->worker[i].pass[PASS_COUNTED].aside;
	return control->syscalls > aside ? control->syscalls - aside : 0;
}

uint64_t control_done(const struct control *control, enum pass pass)
{
	unsigned int first, last;
	uint64_t done = 0;

	task_counters(&control->task, &first, &last);
	for (unsigned int i = first; i < last; i++)
		done += control->worker[i].pass[pass].done;
	return done;
}

int64_t control_ns(const struct control *control, enum pass pass)
{
	const struct worker_result *worker = control->worker;
	int64_t start = worker[0].pass[pass].start, end = 0;
	unsigned int first, last;

	/* Only helpers begin at different times. */
	for (unsigned int i = 1; i < control->task.producers; i++)
		if (worker[i].pass[pass].start && worker[i].pass[pass].start < start)
			start = worker[i].pass[pass].start;
	task_counters(&control->task, &first, &last);
	for (unsigned int i = first; i < last; i++)
		if (worker[i].pass[pass].end > end)
			end = worker[i].pass[pass].end;
	return end - start;
}

static struct control *map(int fd)
{
	void *p = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct control *control_create(int *ret_fd)
{
	int fd = memfd_create("ipc-bench", MFD_CLOEXEC);
	struct control *control = NULL;

	if (fd >= 0 && ftruncate(fd, sizeof(struct control)) == 0)
		control = map(fd);
	if (!control) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	control_clear(control);
	*ret_fd = fd;
	return control;
}

struct control *control_attach(int fd)
{
	return map(fd);
}

void control_clear(struct control *control)
{
	memset(control, 0, sizeof(*control));
	for (int i = 0; i < 2 * LEFTOVERS; i++)
		control->leftovers[i / LEFTOVERS].msgid[i % LEFTOVERS] = -1;
	control->leftovers[0].semid = control->leftovers[1].semid = -1;
}

static void sweep(struct leftovers *leftovers)
{
	for (int i = 0; i < LEFTOVERS; i++) {
		if (leftovers->msgid[i] >= 0)
			msgctl(leftovers->msgid[i], IPC_RMID, NULL);
		leftovers->msgid[i] = -1;
	}
	if (leftovers->semid >= 0)
		semctl(leftovers->semid, 0, IPC_RMID);
	leftovers->semid = -1;
	if (leftovers->file[0])
		unlink(leftovers->file);
	leftovers->file[0] = '\0';
}

void control_sweep(struct control *control)
{
	for (int i = 0; i < 2; i++)
		sweep(&control->leftovers[i]);
}
