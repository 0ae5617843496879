/* SPDX-License-Identifier: MIT */
/*
 * What the hardware and the kernel allow here: the lines that no mechanism can cross, and the
 * reference that tells how two CPUs are placed at the time of a measurement.
 *
 * On virtual machines the cost of moving a cache line between the same two CPU numbers changes
 * by 2-6 times within minutes, when the host moves the virtual CPUs. So each repeat is bracketed:
 *
 *	producer and consumer, both pinned, share one struct floor_line (zeroed):
 *	before = floor_line_side(line, side);	both call it, side 0 and side 1
 *	... the repeat ...
 *	after = floor_line_side(line, side);	same line again
 *	floor_class(before, after, cpu0, cpu1);
 *
 * NAN means "not known".
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FLOOR_ROUNDS 20000	       /* round trips in one measurement of the line */
#define FLOOR_NEAR_NS 200.0	       /* round trips from here on are "far" */
#define FLOOR_UNSTABLE 1.3	       /* brackets further apart than this */
#define FLOOR_RING_BYTES (4u << 20)    /* "ring-sized memory" */
#define FLOOR_SIZES 7

extern const size_t floor_sizes[FLOOR_SIZES]; /* 8 64 256 1K 4K 64K 1M */

#define FLOOR_LINES 8

/* The lines that two processes bounce, with what they need to meet. Zeroed memory is ready to
 * use; both sides must call floor_line_side() equally often. */
struct floor_line {
	struct {
		_Alignas(128) uint64_t word; /* alone on its line (and on its prefetch pair) */
	} line[FLOOR_LINES];
	_Alignas(128) uint64_t arrived[2]; /* calls begun by each side */
	uint64_t finished;		   /* calls whose result is below */
	double mean_ns;
	double median_ns;
};

/*
 * One side (0 leads, 1 answers) of one measurement, FLOOR_ROUNDS round trips, 2-7 ms. Waits for
 * the other side (up to 2 s). Both sides return the same number, nanoseconds per round trip: the
 * median of the means of eight equal parts, so that one lost time slice does not move it. Each
 * part has a line of its own, one after the other: on a large mesh the round trip differs by
 * 30 % between neighbouring lines, which would say more about the address than about the CPUs.
 * NAN after a timeout: the other side is missing, or both sides share one CPU.
 */
double floor_line_side(struct floor_line *line, int side);

/* The same by itself: forks a child on @cpu_b, runs side 0 on @cpu_a, and restores the affinity
 * (-1: not pinned). NAN when that is not possible (same CPU, no fork). */
double floor_bracket(int cpu_a, int cpu_b);

enum floor_class {
	FLOOR_NEAR,
	FLOOR_FAR,
	FLOOR_SAME_CPU,
	FLOOR_UNPINNED,
	FLOOR_CLASSES,
};

/* "near", "far", "same-cpu", "unpinned". */
const char *floor_class_name(enum floor_class c);

/* Class of a repeat from its two brackets; a CPU of -1 means not pinned. */
enum floor_class floor_class(double before, double after, int cpu_a, int cpu_b);

/* Whether the brackets differ by more than 30 %, or one is missing (never for same-cpu and
 * unpinned, which the brackets do not decide). */
bool floor_unstable(double before, double after, int cpu_a, int cpu_b);

/* Mean of the two brackets: `floor_rtt_ns` of a repeat. */
double floor_rtt(double before, double after);

struct floor_limits {
	int cpu[2];
	double cacheline_rtt_ns;
	double memcpy_bytes_per_s;
	double crosscore_bytes_per_s;
	double fill_copy_bytes_per_s[FLOOR_SIZES];
	double fill_bytes_per_s[FLOOR_SIZES];
	double null_syscall_ns;
	double wake_ns;
	double timer_ns;
};

/* Measure everything between two CPUs (-1: not pinned), about a quarter of a second. What needs
 * two CPUs is NAN when they are the same; wake_ns is then a wake on one CPU. Forks: call it
 * before threads exist. Returns 0 or a negative errno. */
int floor_measure(int cpu_a, int cpu_b, struct floor_limits *ret);

/* Parts of it, each also usable alone. They run where the caller is pinned. */
double floor_cacheline_rtt_ns(int cpu_a, int cpu_b);
double floor_crosscore_bytes_per_s(int cpu_a, int cpu_b);
double floor_wake_ns(int cpu_a, int cpu_b);
double floor_memcpy_bytes_per_s(void);
double floor_fill_bytes_per_s(size_t size, bool with_copy);
double floor_null_syscall_ns(void);

/* The JSON key `floor`; a new reference, NULL without memory. By-size values are objects with
 * the size in bytes as key. */
json_t *floor_json(const struct floor_limits *f);
void floor_print(const struct floor_limits *f, FILE *out);

#endif
