/* SPDX-License-Identifier: MIT */
/*
 * Environment: kernel, processor, caches, hypervisor, clock.
 */
#include "bench/env-read.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/pattern.h"

#define CPU "/sys/devices/system/cpu"
#define MAX_CPUS 1024

json_t *env_kernel(void)
{
	struct utsname u = { 0 };

	uname(&u);
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "system", u.sysname, "release", u.release,
			 "version", u.version, "machine", u.machine, "cmdline",
			 env_text("/proc/cmdline"));
}

/* Those of @wanted that are in the processor's list of flags. */
static json_t *flags(void)
{
	static const char *const wanted[] = {
		"constant_tsc", "nonstop_tsc", "tsc_known_freq", "rdtscp", "sse4_2",
		"avx2",		"avx512f",     "erms",		 "fsrm",   "waitpkg",
		"hypervisor",	"ht",	       "atomics",	 "sve",
	};
	json_t *have = json_array(), *all = env_field("/proc/cpuinfo", "flags");
	const char *text;
	char padded[8200], word[32];
	size_t i;

	if (!json_is_string(all)) {
		json_decref(all);
		all = env_field("/proc/cpuinfo", "Features"); /* arm64 */
	}
	text = json_string_value(all);
	snprintf(padded, sizeof(padded), " %s ", text ? text : "");
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		snprintf(word, sizeof(word), " %s ", wanted[i]);
		if (strstr(padded, word))
			json_array_append_new(have, json_string(wanted[i]));
	}
	json_decref(all);
	return have;
}

static json_t *model_name(void)
{
	static const char *const keys[] = { "model name", "Model", "Hardware", "cpu", "uarch" };
	json_t *v = json_null();
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && !json_is_string(v); i++) {
		json_decref(v);
		v = env_field("/proc/cpuinfo", keys[i]);
	}
	return v;
}

static json_t *allowed_cpus(void)
{
	static int cpus[MAX_CPUS];
	int i, n = bench_cpus_allowed(cpus, MAX_CPUS);
	json_t *a = json_array();

	for (i = 0; i < n && i < MAX_CPUS; i++)
		json_array_append_new(a, json_integer(cpus[i]));
	return a;
}

json_t *env_cpu(void)
{
	json_t *o = json_object();

	json_object_set_new(o, "model", model_name());
	json_object_set_new(o, "vendor", env_field("/proc/cpuinfo", "vendor_id"));
	json_object_set_new(o, "family", env_field("/proc/cpuinfo", "cpu family"));
	json_object_set_new(o, "model_number", env_field("/proc/cpuinfo", "model"));
	json_object_set_new(o, "stepping", env_field("/proc/cpuinfo", "stepping"));
	json_object_set_new(o, "microcode", env_field("/proc/cpuinfo", "microcode"));
	json_object_set_new(o, "mhz", env_field("/proc/cpuinfo", "cpu MHz"));
	json_object_set_new(o, "flags", flags());
	json_object_set_new(o, "wide_store_bytes", json_integer(pattern_wide_bytes()));
	json_object_set_new(o, "online", env_text(CPU "/online"));
	json_object_set_new(o, "allowed", allowed_cpus());
	json_object_set_new(o, "smt", env_text(CPU "/smt/control"));
	json_object_set_new(o, "driver", env_text(CPU "/cpu0/cpufreq/scaling_driver"));
	json_object_set_new(o, "governor", env_text(CPU "/cpu0/cpufreq/scaling_governor"));
	json_object_set_new(o, "max_khz", env_number(CPU "/cpu0/cpufreq/cpuinfo_max_freq"));
	json_object_set_new(o, "boost", env_number(CPU "/cpufreq/boost"));
	json_object_set_new(o, "no_turbo", env_number(CPU "/intel_pstate/no_turbo"));
	json_object_set_new(o, "idle_driver", env_text(CPU "/cpuidle/current_driver"));
	json_object_set_new(o, "idle_governor", env_text(CPU "/cpuidle/current_governor"));
	return o;
}

/* The NUMA node of a CPU: a link nodeN in its folder. */
static json_t *node_of(int cpu)
{
	json_t *v = json_null();
	struct dirent *e;
	char path[64];
	int node;
	DIR *d;

	snprintf(path, sizeof(path), CPU "/cpu%d", cpu);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (sscanf(e->d_name, "node%d", &node) == 1) {
			json_decref(v);
			v = json_integer(node);
		}
	if (d)
		closedir(d);
	return v;
}

json_t *env_topology(void)
{
	static int cpus[MAX_CPUS];
	int i, n = bench_cpus_allowed(cpus, MAX_CPUS);
	json_t *a = json_array();

	for (i = 0; i < n && i < MAX_CPUS; i++)
		json_array_append_new(
			a, json_pack("{s:i, s:o, s:o, s:o, s:o}", "cpu", cpus[i], "core",
				     env_number(CPU "/cpu%d/topology/core_id", cpus[i]), "package",
				     env_number(CPU "/cpu%d/topology/physical_package_id", cpus[i]),
				     "siblings",
				     env_text(CPU "/cpu%d/topology/thread_siblings_list", cpus[i]),
				     "node", node_of(cpus[i])));
	return a;
}

/* Caches of the first allowed CPU; those of hybrid machines differ, the topology tells which. */
json_t *env_caches(void)
{
	json_t *a = json_array(), *level;
	int i, cpu = 0;

	bench_cpus_allowed(&cpu, 1);
	for (i = 0; i < 8; i++) {
		level = env_number(CPU "/cpu%d/cache/index%d/level", cpu, i);
		if (json_is_null(level)) {
			json_decref(level);
			break;
		}
		json_array_append_new(
			a,
			json_pack("{s:o, s:o, s:o, s:o, s:o}", "level", level, "type",
				  env_text(CPU "/cpu%d/cache/index%d/type", cpu, i), "size",
				  env_text(CPU "/cpu%d/cache/index%d/size", cpu, i), "line_bytes",
				  env_number(CPU "/cpu%d/cache/index%d/coherency_line_size", cpu,
					     i),
				  "shared_cpus",
				  env_text(CPU "/cpu%d/cache/index%d/shared_cpu_list", cpu, i)));
	}
	return a;
}

json_t *env_mitigations(void)
{
	json_t *o = json_object();
	struct dirent *e;
	DIR *d = opendir(CPU "/vulnerabilities");

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			json_object_set_new(o, e->d_name,
					    env_text(CPU "/vulnerabilities/%s", e->d_name));
	if (d)
		closedir(d);
	return o;
}

/* The name that a hypervisor gives itself, or "" on bare metal or where CPUID cannot tell. */
static void hypervisor_name(char name[13])
{
	name[0] = 0;
#if defined(__x86_64__)
	unsigned int leaf = 1, b, c, d;

	__asm__ volatile("cpuid" : "+a"(leaf), "=b"(b), "=c"(c), "=d"(d) : "2"(0));
	if (!(c >> 31))
		return;
	leaf = 0x40000000;
	__asm__ volatile("cpuid" : "+a"(leaf), "=b"(b), "=c"(c), "=d"(d) : "2"(0));
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	name[12] = 0;
#endif
}

/* Share of all CPU time since boot that the hypervisor took. */
static json_t *steal_share(void)
{
	unsigned long long v[8];
	double total = 0;
	FILE *f = fopen("/proc/stat", "re");
	int i, n = 0;

	if (f) {
		n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
			   &v[3], &v[4], &v[5], &v[6], &v[7]);
		fclose(f);
	}
	if (n != 8)
		return json_null();
	for (i = 0; i < 8; i++)
		total += (double)v[i];
	return json_real(total > 0 ? (double)v[7] / total : 0);
}

json_t *env_virtual(void)
{
	char name[13];
	json_t *dmi = env_text("/sys/class/dmi/id/sys_vendor");

	hypervisor_name(name);
	return json_pack("{s:o, s:o, s:o}", "hypervisor", *name ? json_string(name) : json_null(),
			 "system_vendor", dmi, "steal_since_boot", steal_share());
}

json_t *env_clock(void)
{
	static const char dir[] = "/sys/devices/system/clocksource/clocksource0";
	struct timespec ts = { 0 };

	clock_getres(CLOCK_MONOTONIC, &ts);
	return json_pack("{s:o, s:o, s:i, s:f}", "source", env_text("%s/current_clocksource", dir),
			 "available", env_text("%s/available_clocksource", dir), "resolution_ns",
			 (int)ts.tv_nsec, "read_ns", bench_timer_ns());
}
