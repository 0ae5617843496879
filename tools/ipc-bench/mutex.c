/* SPDX-License-Identifier: MIT */
#include "mutex.h"

int mutex_create(struct link *link, int robust, char why[MECH_WHY])
{
	pthread_mutexattr_t attributes;
	struct mutex *m;
	int r;

	r = lock_create(link, sizeof(*m) + link->setup.size, why);
	if (r < 0)
		return r;
	m = link->memory;
	link->memory_bytes = sizeof(m->lock);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, robust);
	r = pthread_mutex_init(&m->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	if (r > 0)
		lock_remove(link);
	return r > 0 ? mech_fail(why, "pthread_mutex_init", r) : 0;
}
