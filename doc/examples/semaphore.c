/* SPDX-License-Identifier: MIT */
/*
 * Two places for eight processes, one of which dies in its place.
 *
 * A place belongs to the process that has acquired it. So when the third child is killed, its place
 * is there again, and whoever has one next is told. Without a bound it would be lost for good.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define CHILDREN	8
#define PLACES		2
#define TIMES		100
#define THE_DEAD	2

struct counts {
	int inside;
	int most;
	int told;
};

static void be_inside(struct counts *c, int result)
{
	int inside = __atomic_add_fetch(&c->inside, 1, __ATOMIC_SEQ_CST);

	/* A place that was died in. */
	if (result == WEIR_OWNER_DIED) {
		inside = __atomic_sub_fetch(&c->inside, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&c->told, 1, __ATOMIC_SEQ_CST);
	}
	if (inside > __atomic_load_n(&c->most, __ATOMIC_SEQ_CST))
		__atomic_store_n(&c->most, inside, __ATOMIC_SEQ_CST);
}

static int work(struct weir_semaphore *places, struct counts *c, int child)
{
	for (int i = 0; i < TIMES; i++) {
		int result = weir_semaphore_acquire(places, 0, WEIR_FOREVER);

		if (result < 0)
			return 1;
		be_inside(c, result);
		if (child == THE_DEAD && i == TIMES / 2)
			raise(SIGKILL);
		__atomic_sub_fetch(&c->inside, 1, __ATOMIC_SEQ_CST);
		if (weir_semaphore_release(places, 1) < 0)
			return 1;
	}
	return 0;
}

int main(void)
{
	const struct weir_semaphore_options bounded = {
		.size = sizeof(bounded),
		.flags = WEIR_SEMAPHORE_BOUNDED,
	};
	struct counts *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct weir_semaphore *places;
	int result, status, killed = 0;

	if (c == MAP_FAILED)
		return 1;
	result = weir_semaphore(&places, PLACES, &bounded);
	if (result < 0) {
		fprintf(stderr, "weir_semaphore: %s\n", weir_strerror(result));
		return 1;
	}
	for (int child = 0; child < CHILDREN; child++)
		if (fork() == 0)
			_exit(work(places, c, child));
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status);
	/* All places, also that of the dead one if nobody has needed it since. */
	for (int i = 0; i < PLACES; i++)
		if (weir_semaphore_acquire(places, 0, WEIR_FOREVER) == WEIR_OWNER_DIED)
			c->told++;
	weir_semaphore_release(places, PLACES);
	printf("killed: %d\n", killed);
	printf("told of it: %d\n", c->told);
	printf("more than two at a time: %s\n", c->most > PLACES + 1 ? "yes" : "no");
	printf("places: %d\n", weir_semaphore_value(places));
	printf("one more: %s\n", weir_semaphore_release(places, 1) < 0 ? "refused" : "taken");
	weir_semaphore_close(places);
	return 0;
}
