/* SPDX-License-Identifier: MIT */
/*
 * What the machine does to the figures, said beside them with a hint.
 *
 *	controller:	noise_begin(&n); (no worker runs yet) ... one repeat ... noise_end(&n);
 *	each worker:	noise_self_begin(&s); ... timed window ... noise_self_end(&s);
 *	controller:	noise_add(&n, &s) for each worker; noise_warn(&n, warnings);
 *
 * Both structs have no pointers; struct noise_self may live in shared memory.
 */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

#include <jansson.h>
#include <stdint.h>

/* One process over its timed window. */
struct noise_self {
	int64_t involuntary; /* context switches against its will */
	int64_t migrations;  /* to another CPU; -1 when the kernel does not tell */
	int64_t wall_ns;
};

/* The machine over one repeat. */
struct noise {
	int64_t wall_ns;
	int64_t steal_ticks; /* of all CPUs: taken by the hypervisor */
	int64_t total_ticks;
	double load;	     /* runnable tasks at the start, without the caller: sum and */
	int samples;	     /* number of looks, since one look is a matter of luck */
	int64_t involuntary; /* sums over the workers added */
	int64_t migrations;
	int64_t worker_ns;
	int workers;
	int throttled; /* cgroup quota periods throttled; -1 not known */
};

void noise_self_begin(struct noise_self *s);
void noise_self_end(struct noise_self *s);

void noise_begin(struct noise *n);
void noise_end(struct noise *n);
void noise_add(struct noise *n, const struct noise_self *s);
/* Sum of several repeats of one row. */
void noise_merge(struct noise *sum, const struct noise *n);

/* Share of the CPU time that the hypervisor took, 0..1. */
double noise_steal(const struct noise *n);

/* Append one sentence with a hint per trouble to a JSON array of strings; returns how many. */
int noise_warn(const struct noise *n, json_t *warnings);

/*
 * Troubles of the machine that hold for a whole run: too few CPUs for @processes that spin,
 * clock source not tsc, frequency governor, other load, no ASLR, cgroup quota, a hypervisor
 * that steals. Appends sentences; returns how many. Call it once, before the first repeat.
 */
int noise_preflight(int processes, json_t *warnings);

#endif
