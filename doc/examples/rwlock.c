/* SPDX-License-Identifier: MIT */
/*
 * Two numbers that are always the same: two processes change them, four read them, and one of the
 * writers is killed between the two.
 *
 * Whoever acquires the lock to write after that is told, and makes them the same again. Those who
 * read before are told, too, and do not believe what they see.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define WRITERS	2
#define READERS	4
#define TIMES	1000

struct pair {
	int first;
	int second;
	int repaired;
	int first_of_the_dead;
};

static int change(struct weir_rwlock *lock, struct pair *p, int dies)
{
	for (int i = 0; i < TIMES; i++) {
		int result = weir_rwlock_write(lock, 0, WEIR_FOREVER);

		if (result < 0)
			return 1;
		if (result == WEIR_OWNER_DIED) {
			p->second = p->first;
			p->repaired++;
		}
		p->first++;
		if (dies && i == TIMES / 2) {
			p->first_of_the_dead = i + 1;
			raise(SIGKILL);
		}
		p->second++;
		weir_rwlock_release(lock);
	}
	return 0;
}

static int look(struct weir_rwlock *lock, const struct pair *p)
{
	int torn = 0;

	for (int i = 0; i < TIMES; i++) {
		int result = weir_rwlock_read(lock, 0, WEIR_FOREVER);

		if (result < 0)
			return 1;
		if (result == 0 && p->first != p->second)
			torn++;
		weir_rwlock_release(lock);
	}
	return torn > 0;
}

int main(void)
{
	struct pair *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int result, status, expected, killed = 0, wrong = 0;
	struct weir_rwlock *lock;

	if (p == MAP_FAILED)
		return 1;
	result = weir_rwlock(&lock);
	if (result < 0) {
		fprintf(stderr, "weir_rwlock: %s\n", weir_strerror(result));
		return 1;
	}
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0)
			_exit(change(lock, p, i == 0));
	for (int i = 0; i < READERS; i++)
		if (fork() == 0)
			_exit(look(lock, p));
	while (wait(&status) > 0) {
		killed += WIFSIGNALED(status);
		wrong += WIFEXITED(status) && WEXITSTATUS(status) != 0;
	}
	/* If the last one to write was killed, we are the next. */
	if (weir_rwlock_write(lock, 0, WEIR_FOREVER) == WEIR_OWNER_DIED) {
		p->second = p->first;
		p->repaired++;
	}
	weir_rwlock_release(lock);
	printf("killed: %d\n", killed);
	printf("repaired: %d\n", p->repaired);
	printf("seen half changed: %d\n", wrong);
	expected = (WRITERS - 1) * TIMES + p->first_of_the_dead;
	printf("changed: %s\n", p->first == expected && p->second == expected ?
	       "as often as it was" : "wrong");
	weir_rwlock_close(lock);
	return 0;
}
