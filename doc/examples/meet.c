/* SPDX-License-Identifier: MIT */
/*
 * Processes that wait for each other in three ways.
 *
 * An event: the workers begin when all is ready. A condition: the parent waits until the sum is
 * what it should be. A barrier: they take each step together, until one of them is killed, which
 * the others are told instead of waiting for it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define WORKERS 3

static struct weir_event_flag *begin;
static struct weir_condition *added;
static struct weir_barrier *step;
static int *sum;

static int is_complete(void *arg)
{
	(void)arg;
	return *sum == 1 + 2 + 3;
}

static void work(int worker)
{
	struct weir_lock *lock = weir_condition_lock(added);
	int result;

	weir_event_wait(begin, 0, WEIR_FOREVER);
	weir_lock_acquire(lock, 0, WEIR_FOREVER);
	*sum += worker;
	weir_condition_notify(added, 1);
	weir_lock_release(lock);

	weir_barrier_wait(step, 0, WEIR_FOREVER, NULL);
	if (worker == 3)
		raise(SIGKILL);
	result = weir_barrier_wait(step, 0, WEIR_FOREVER, NULL);
	/* exit(3) and not _exit(2): we leave, and do not die. */
	exit(result == -EOWNERDEAD ? 1 : 0);
}

int main(void)
{
	int status, told = 0;

	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sum == MAP_FAILED || weir_event(&begin, NULL) < 0 ||
	    weir_condition(&added, NULL, NULL) < 0 || weir_barrier(&step, WORKERS, NULL) < 0)
		return 1;
	for (int worker = 1; worker <= WORKERS; worker++)
		if (fork() == 0)
			work(worker);
	weir_event_set(begin);

	weir_lock_acquire(weir_condition_lock(added), 0, WEIR_FOREVER);
	/* Should a worker die after it has notified, we are told, and look again. */
	while (weir_condition_wait_for(added, is_complete, NULL, 0, WEIR_FOREVER) ==
	       WEIR_OWNER_DIED)
		;
	printf("sum: %d\n", *sum);
	weir_lock_release(weir_condition_lock(added));

	while (wait(&status) > 0)
		told += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	printf("told that one has died: %d\n", told);
	printf("broken: %s\n", weir_barrier_broken(step) ? "yes" : "no");
	weir_barrier_reset(step);
	printf("after a reset: %s\n", weir_barrier_broken(step) ? "yes" : "no");
	weir_event_close(begin);
	weir_condition_close(added);
	weir_barrier_close(step);
	return 0;
}
