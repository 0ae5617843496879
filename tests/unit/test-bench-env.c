/* SPDX-License-Identifier: MIT */
/*
 * Clock, environment and noise: facts that hold on every machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/env.h"
#include "bench/noise.h"
#include "support.h"

#define MAX 1024

START_TEST(the_clock_goes_on_and_costs_something)
{
	int64_t a = bench_now(), b;

	bench_sleep(2000000);
	b = bench_now();
	ck_assert_int_ge(b - a, 2000000);
	ck_assert_double_gt(bench_timer_ns(), 0);
}
END_TEST

START_TEST(default_cpus_are_allowed_and_different)
{
	static int allowed[MAX], pick[MAX];
	int n = bench_cpus_allowed(allowed, MAX), found = bench_default_cpus(pick, n), i, k;

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(found, n);
	ck_assert_int_eq(pick[0], allowed[0]);
	for (i = 0; i < found; i++) {
		for (k = 0; k < i; k++)
			ck_assert_int_ne(pick[i], pick[k]);
		ck_assert_int_eq(bench_pin(pick[i]), 0);
		ck_assert_int_eq(bench_cpu(), pick[i]);
	}
	ck_assert_int_eq(bench_pin(-1), 0);
	ck_assert_int_eq(bench_cpus_allowed(allowed, 1), n);
}
END_TEST

START_TEST(the_default_pair_says_what_it_is)
{
	int pair[2], kind = bench_default_pair(pair);

	ck_assert_int_ge(kind, 0);
	ck_assert_int_eq(pair[0] == pair[1], kind == BENCH_PAIR_ONE);
	ck_assert_int_eq(bench_same_core(pair[0], pair[1]), kind != BENCH_PAIR_CORES);
}
END_TEST

START_TEST(pinning_elsewhere_is_refused)
{
	ck_assert_int_lt(bench_pin(-2), 0);
	ck_assert_int_lt(bench_pin(1 << 20), 0);
}
END_TEST

/* A value at "group.key"; fails when the key is missing (null is a value). */
static const json_t *at(const json_t *env, const char *group, const char *key)
{
	const json_t *v = json_object_get(json_object_get(env, group), key);

	ck_assert_msg(v != NULL, "%s.%s is missing", group, key);
	return v;
}

START_TEST(the_environment_has_its_keys)
{
	static const char *const keys[][2] = {
		{ "kernel", "release" },
		{ "kernel", "cmdline" },
		{ "cpu", "model" },
		{ "cpu", "microcode" },
		{ "cpu", "governor" },
		{ "cpu", "smt" },
		{ "cpu", "allowed" },
		{ "virtualization", "hypervisor" },
		{ "clock", "source" },
		{ "memory", "thp" },
		{ "memory", "thp_shmem" },
		{ "memory", "aslr" },
		{ "cgroup", "cpu_max" },
		{ "cgroup", "cpuset" },
		{ "isolation", "isolcpus" },
		{ "isolation", "nohz_full" },
		{ "rlimits", "memlock_bytes" },
		{ "rlimits", "msgqueue_bytes" },
		{ "ipc_limits", "mq_msg_max" },
		{ "ipc_limits", "pipe_max_size" },
		{ "security", "seccomp_mode" },
		{ "security", "io_uring_disabled" },
		{ "security", "perf_event_paranoid" },
		{ "build", "compiler" },
		{ "build", "flags" },
		{ "build", "git" },
	};
	json_t *env = env_gather();
	size_t i;

	ck_assert_ptr_nonnull(env);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		at(env, keys[i][0], keys[i][1]);
	ck_assert(json_is_string(at(env, "kernel", "release")));
	ck_assert(json_is_integer(at(env, "memory", "page_bytes")));
	ck_assert_uint_gt(json_array_size(json_object_get(env, "topology")), 0);
	ck_assert(json_is_object(json_object_get(env, "mitigations")));
	json_decref(env);
}
END_TEST

START_TEST(the_environment_prints_one_fact_per_line)
{
	json_t *env = env_gather();
	FILE *f = tmpfile();
	char line[8192];
	int lines = 0, kernel = 0;

	ck_assert_ptr_nonnull(f);
	env_print(env, f);
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		lines++;
		kernel += !strncmp(line, "kernel.release ", 15);
	}
	ck_assert_int_gt(lines, 50);
	ck_assert_int_eq(kernel, 1);
	fclose(f);
	json_decref(env);
}
END_TEST

START_TEST(quiet_figures_say_nothing_and_bad_ones_each_something)
{
	struct noise quiet = { .worker_ns = 1000000000, .workers = 2, .total_ticks = 1000 };
	struct noise bad = { .worker_ns = 1000000000,
			     .workers = 2,
			     .total_ticks = 1000,
			     .steal_ticks = 100,
			     .load = 6,
			     .samples = 2,
			     .involuntary = 500,
			     .migrations = 300,
			     .throttled = 2 };
	json_t *warnings = json_array();
	size_t i;

	ck_assert_int_eq(noise_warn(&quiet, warnings), 0);
	ck_assert_int_eq(noise_warn(&bad, warnings), 5);
	ck_assert_uint_eq(json_array_size(warnings), 5);
	for (i = 0; i < 5; i++) /* each with a hint */
		ck_assert_ptr_nonnull(strchr(json_string_value(json_array_get(warnings, i)), ':'));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(warnings, 0)), "10.0 %"));
	json_decref(warnings);
}
END_TEST

START_TEST(noise_of_repeats_adds_up)
{
	struct noise sum = { 0 }, one = { .steal_ticks = 1,
					  .total_ticks = 100,
					  .load = 1,
					  .samples = 1,
					  .migrations = 2,
					  .throttled = -1 };
	struct noise_self self = { .involuntary = 3, .migrations = -1, .wall_ns = 1000 };

	noise_add(&one, &self);
	ck_assert_int_eq(one.migrations, -1); /* not known of one: not known at all */
	noise_merge(&sum, &one);
	noise_merge(&sum, &one);
	ck_assert_int_eq(sum.involuntary, 6);
	ck_assert_int_eq(sum.workers, 2);
	ck_assert_int_eq(sum.throttled, -1);
	ck_assert_double_eq_tol(noise_steal(&sum), 0.01, 1e-12);
	ck_assert_double_eq(sum.load, 2);
}
END_TEST

START_TEST(a_window_measures_the_window)
{
	struct noise_self self;
	struct noise n;

	noise_begin(&n);
	noise_self_begin(&self);
	bench_sleep(20000000);
	noise_self_end(&self);
	noise_end(&n);
	ck_assert_int_ge(self.wall_ns, 20000000);
	ck_assert_int_ge(n.wall_ns, self.wall_ns);
	ck_assert_int_ge(self.involuntary, 0);
	ck_assert_int_ge(n.total_ticks, 0);
}
END_TEST

START_TEST(too_few_cpus_are_said)
{
	json_t *few = json_array(), *enough = json_array();
	int cpu, n = bench_cpus_allowed(&cpu, 1);
	int more = noise_preflight(n + 1, few);

	ck_assert_int_ge(more, 1);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(few, 0)), "too few CPUs"));
	noise_preflight(1, enough);
	if (json_array_size(enough))
		ck_assert_ptr_null(
			strstr(json_string_value(json_array_get(enough, 0)), "too few CPUs"));
	json_decref(few);
	json_decref(enough);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench-env");
	TCase *clock = tcase_create("clock"), *env = tcase_create("env");
	TCase *noise = tcase_create("noise");

	tcase_add_test(clock, the_clock_goes_on_and_costs_something);
	tcase_add_test(clock, default_cpus_are_allowed_and_different);
	tcase_add_test(clock, the_default_pair_says_what_it_is);
	tcase_add_test(clock, pinning_elsewhere_is_refused);
	suite_add_tcase(suite, clock);
	tcase_add_test(env, the_environment_has_its_keys);
	tcase_add_test(env, the_environment_prints_one_fact_per_line);
	suite_add_tcase(suite, env);
	tcase_add_test(noise, quiet_figures_say_nothing_and_bad_ones_each_something);
	tcase_add_test(noise, noise_of_repeats_adds_up);
	tcase_add_test(noise, a_window_measures_the_window);
	tcase_add_test(noise, too_few_cpus_are_said);
	suite_add_tcase(suite, noise);
	return test_main(suite);
}
