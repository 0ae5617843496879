/* SPDX-License-Identifier: MIT */
#include "wait/bell.h"

#include "sys/sys.h"

static uint32_t changed(uint32_t bell, uint32_t state)
{
	return ((bell & ~BELL_STATE) + BELL_ONE) | state;
}

uint32_t bell_listen(uint32_t *bell)
{
	uint32_t was = load_seq(bell);	/* order: SLEEP, ROOM: before the last look */

	/* RUNG is as good: the one who was woken looks after us, and rings if there is more. */
	while ((was & BELL_STATE) == BELL_QUIET)
		/* order: SLEEP, ROOM: before the last look. */
		if (cas_seq(bell, &was, changed(was, BELL_ASLEEP)))
			return changed(was, BELL_ASLEEP);
	return was;
}

int bell_sleep(uint32_t *bell, uint32_t listened, int64_t until)
{
	return sys_futex_wait(bell, listened, until);
}

void bell_heard(uint32_t *bell)
{
	uint32_t was = load_seq(bell);	/* order: SLEEP, ROOM: before our look */

	while ((was & BELL_STATE) == BELL_RUNG)
		/* order: SLEEP, ROOM: before our look. */
		if (cas_seq(bell, &was, changed(was, BELL_ASLEEP)))
			return;
}

bool bell_lift(uint32_t *bell, uint32_t *ret_rung)
{
	uint32_t was = load_relaxed(bell);	/* relaxed: the exchange finds out */

	/* Again, if only a mark has changed: those who change that do not ring. */
	while ((was & BELL_STATE) == BELL_ASLEEP) {
		*ret_rung = changed(was, BELL_RUNG);
		/* order: SLEEP, ROOM: who lies down meanwhile sees it */
		if (cas_seq(bell, &was, *ret_rung))
			return true;
	}
	return false;
}

void bell_lower(uint32_t *bell, uint32_t rung)
{
	/* A sleeper who comes now finds the word changed. */
	if (!cas_seq(bell, &rung, changed(rung, BELL_QUIET)))	/* order: SLEEP, ROOM */
		/* It may be rung still, for nobody, and a mark has changed. */
		bell_heard(bell);
}

bool bell_ring_slow(uint32_t *bell)
{
	uint32_t rung;

	if (!bell_lift(bell, &rung))
		return false;
	if (sys_futex_wake(bell, 1) > 0)
		return true;
	bell_lower(bell, rung);
	return false;
}

void bell_ring_all(uint32_t *bell)
{
	uint32_t was = load_relaxed(bell);	/* relaxed: the exchange finds out */

	while (!cas_seq(bell, &was, changed(was, BELL_QUIET)))	/* order: SLEEP, ROOM */
		;
	sys_futex_wake(bell, INT32_MAX);
}

bool bell_mark(uint32_t *bell, uint32_t *was, uint32_t mark, bool set)
{
	uint32_t now = ((*was & ~mark) + BELL_ONE) | (set ? mark : 0);

	/* order: SLEEP, ROOM: who sets it looks once more; who clears it has come after. */
	if (!cas_seq(bell, was, now))
		return false;
	*was = now;
	return true;
}
