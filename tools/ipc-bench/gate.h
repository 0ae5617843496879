/* SPDX-License-Identifier: MIT */
/* The lock of the self-test, which the faults are planted beside: slow, and simple. */
#ifndef IPC_BENCH_GATE_H
#define IPC_BENCH_GATE_H

#include <sched.h>
#include <stdint.h>

#define GATE_HARMED 10	/* the act that a fault begins with */

static inline void gate_close(uint32_t *gate)
{
	while (__atomic_exchange_n(gate, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static inline void gate_open(uint32_t *gate)
{
	__atomic_store_n(gate, 0, __ATOMIC_RELEASE);
}

#endif
