/* SPDX-License-Identifier: MIT */
/* Numbers as people read them: three digits and a unit. */
#ifndef IPC_BENCH_FORMAT_H
#define IPC_BENCH_FORMAT_H

#include <stddef.h>

#include "bench/stats.h"
#include "result.h"

#define TEXT_MAX 96

/* "102 M" (powers of 1000). */
const char *format_count(double value, char text[TEXT_MAX]);

/* "19 ns", "46.3 us", "1.2 ms". */
const char *format_ns(double ns, char text[TEXT_MAX]);

/* "64 B", "64 KiB". */
const char *format_size(size_t bytes, char text[TEXT_MAX]);

/* "41x", "0.97x". */
const char *format_ratio(double ratio, char text[TEXT_MAX]);

/* "102 M/s [96-108]", the interval in the unit of the median, left out when it is not known. */
const char *format_rate_ci(const struct stats_median *rate, char text[TEXT_MAX]);

/* "212 ns [205-220]" of a time that is given in nanoseconds. */
const char *format_ns_ci(const struct stats_median *ns, char text[TEXT_MAX]);

/* "as it comes", "polling", "sleeping", "adaptive". */
const char *format_wait(enum wait wait);

#endif
