/* SPDX-License-Identifier: MIT */
/*
 * The limits as JSON and as text.
 */
#include "bench/floor.h"

#include <math.h>

/* NAN is null: a number that cannot be had. */
static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *by_size(const double *v)
{
	json_t *o = json_object();
	char key[24];
	int i;

	for (i = 0; i < FLOOR_SIZES; i++) {
		snprintf(key, sizeof(key), "%zu", floor_sizes[i]);
		json_object_set_new(o, key, number(v[i]));
	}
	return o;
}

json_t *floor_json(const struct floor_limits *f)
{
	return json_pack("{s:[i,i], s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "cpus", f->cpu[0],
			 f->cpu[1], "cacheline_rtt_ns", number(f->cacheline_rtt_ns),
			 "memcpy_bytes_per_s", number(f->memcpy_bytes_per_s),
			 "crosscore_bytes_per_s", number(f->crosscore_bytes_per_s),
			 "fill_copy_bytes_per_s", by_size(f->fill_copy_bytes_per_s),
			 "fill_bytes_per_s", by_size(f->fill_bytes_per_s), "null_syscall_ns",
			 number(f->null_syscall_ns), "wake_ns", number(f->wake_ns), "timer_ns",
			 number(f->timer_ns));
}

static void line(FILE *out, const char *what, double v, double unit, const char *name)
{
	if (isfinite(v))
		fprintf(out, "  %-52s %10.1f %s\n", what, v / unit, name);
	else
		fprintf(out, "  %-52s %10s\n", what, "-");
}

static void size_line(FILE *out, size_t size, double fill, double copy)
{
	fprintf(out, "  %10zu B %12.2f %12.2f %14.1f\n", size, fill / 1e9, copy / 1e9,
		(double)size * 1e9 / copy);
}

void floor_print(const struct floor_limits *f, FILE *out)
{
	int i;

	fprintf(out, "Limits between CPU %d and CPU %d\n", f->cpu[0], f->cpu[1]);
	line(out, "cache line there and back", f->cacheline_rtt_ns, 1, "ns");
	line(out, "futex wake until the sleeper runs", f->wake_ns, 1, "ns");
	line(out, "empty system call", f->null_syscall_ns, 1, "ns");
	line(out, "reading the clock", f->timer_ns, 1, "ns");
	line(out, "memcpy, one core, 64 KiB into 4 MiB", f->memcpy_bytes_per_s, 1e9, "GB/s");
	line(out, "one core writes, the other reads", f->crosscore_bytes_per_s, 1e9, "GB/s");
	fprintf(out, "\n  One core fills messages in 8-byte stores, GB/s\n");
	fprintf(out, "  %12s %12s %12s %14s\n", "size", "in place", "and copy", "ns per message");
	for (i = 0; i < FLOOR_SIZES; i++)
		size_line(out, floor_sizes[i], f->fill_bytes_per_s[i], f->fill_copy_bytes_per_s[i]);
}
