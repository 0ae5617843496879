/* SPDX-License-Identifier: MIT */
/*
 * Many pipes or queues of weir. Both engines are the same calls here: --engine is an option of what
 * they are waited for and sent to with.
 */
#ifndef IPC_BENCH_CROWD_WEIR_H
#define IPC_BENCH_CROWD_WEIR_H

#include "crowd.h"

extern const struct crowd crowd_weir_pipes;
extern const struct crowd crowd_weir_queues;

/* WEIR_ENGINE_* of this repeat; and say which one it was. */
uint32_t crowd_weir_engine(const struct worker *w);
void crowd_weir_ran(struct worker *w, uint32_t engine);

#endif
