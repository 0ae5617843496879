/* SPDX-License-Identifier: MIT */
/*
 * A pool of workers, one of which is killed at its work. Each takes a job, does it, and releases
 * it. What the killed one had taken is handed to another one, which is told that it is not the
 * first; nothing is lost.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define JOBS	1000
#define WORKERS	3
#define DEADLY	500	/* the job at which the worker is killed, the first time */

/* What the workers have done. Shared by all. */
struct done {
	atomic_int job[JOBS];	/* how often */
	atomic_int again;	/* jobs that had been begun before */
};

static void check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
}

static void work(struct weir_queue *queue, struct done *done)
{
	struct weir_taken taken;
	int result;

	while ((result = weir_queue_take(queue, 0, WEIR_FOREVER, &taken)) == 0) {
		int job = *(const int *)taken.data;

		if (job == DEADLY && taken.times == 0)
			raise(SIGKILL);
		if (taken.times > 0)
			atomic_fetch_add(&done->again, 1);
		atomic_fetch_add(&done->job[job], 1);
		check("release", weir_queue_release(queue, &taken));
		check("task_done", weir_queue_task_done(queue));
	}
	if (result != -EPIPE)
		check("take", result);
}

int main(void)
{
	struct done *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct weir_queue *queue;
	int status, killed = 0, whole = 0;

	if (done == MAP_FAILED)
		return 1;
	check("queue", weir_queue(&queue, NULL));
	for (int i = 0; i < WORKERS; i++) {
		pid_t worker = fork();

		check("fork", worker);
		if (worker == 0) {
			work(queue, done);
			_exit(0);
		}
	}
	for (int job = 0; job < JOBS; job++)
		check("put", weir_queue_put(queue, &job, sizeof(job), 0, WEIR_FOREVER));
	/* Until all is done, by whomever; then the workers go home. */
	check("join", weir_queue_join(queue, 0, weir_after(30000000000)));
	check("shutdown", weir_queue_shutdown(queue, 0));
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status);
	for (int job = 0; job < JOBS; job++)
		whole += atomic_load(&done->job[job]) == 1;
	printf("%d of %d workers were killed\n", killed, WORKERS);
	printf("%d of %d jobs were done once\n", whole, JOBS);
	printf("%d had been begun before\n", atomic_load(&done->again));
	weir_queue_close(queue);
	return 0;
}
