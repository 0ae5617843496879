/* SPDX-License-Identifier: MIT */
/*
 * A lock between processes, one of which dies while it has it.
 *
 * Four children count to a thousand each in one number, under a lock. The first one is killed in
 * the middle of that, with the lock in its hands: whoever has it next is told, and all others go
 * on. An increment is done or not, so there is nothing to repair here but to count it.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define CHILDREN	4
#define TIMES		1000

struct shared {
	int number;
	int told;
	int done_by_the_dead;
};

static int count(struct weir_lock *lock, struct shared *s, int child)
{
	for (int i = 0; i < TIMES; i++) {
		int result = weir_lock_acquire(lock, 0, WEIR_FOREVER);

		if (result < 0)
			return 1;
		if (result == WEIR_OWNER_DIED)
			s->told++;
		if (child == 0 && i == TIMES / 2) {
			s->done_by_the_dead = i;
			raise(SIGKILL);
		}
		s->number++;
		weir_lock_release(lock);
	}
	return 0;
}

int main(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int result, status, expected = 0, killed = 0;
	struct weir_lock *lock;

	if (s == MAP_FAILED)
		return 1;
	result = weir_lock(&lock, NULL);
	if (result < 0) {
		fprintf(stderr, "weir_lock: %s\n", weir_strerror(result));
		return 1;
	}
	for (int child = 0; child < CHILDREN; child++)
		if (fork() == 0)
			_exit(count(lock, s, child));
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status);
	/* If the last one has died with it, we are the next. */
	if (weir_lock_acquire(lock, 0, WEIR_FOREVER) == WEIR_OWNER_DIED)
		s->told++;
	weir_lock_release(lock);
	expected = (CHILDREN - 1) * TIMES + s->done_by_the_dead;
	printf("killed: %d\n", killed);
	printf("told of it: %d\n", s->told);
	printf("counted: %s\n", s->number == expected ? "as often as it was incremented" : "wrong");
	weir_lock_close(lock);
	return 0;
}
