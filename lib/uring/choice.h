/* SPDX-License-Identifier: MIT */
/* Which engine an object is to have: weir/engine.h. */
#ifndef WEIR_URING_CHOICE_H
#define WEIR_URING_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether @option is one that the options of an object may have. */
bool choice_valid(uint32_t option);
/* What is wanted: @option, or what the environment says, or WEIR_ENGINE_AUTO. */
uint32_t choice_wanted(uint32_t option);

#endif
