/* SPDX-License-Identifier: MIT */
/*
 * Environment: memory, control group, isolation, limits, security.
 */
#include "bench/env-read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

json_t *env_memory(void)
{
	static const char thp[] = "/sys/kernel/mm/transparent_hugepage";
	json_t *total = env_field_number("/proc/meminfo", "MemTotal");
	json_t *free_kb = env_field_number("/proc/meminfo", "MemAvailable");
	json_t *o = json_object();

	json_object_set_new(o, "total_bytes", json_integer(json_integer_value(total) * 1024));
	json_object_set_new(o, "available_bytes", json_integer(json_integer_value(free_kb) * 1024));
	json_object_set_new(o, "page_bytes", json_integer(sysconf(_SC_PAGESIZE)));
	json_object_set_new(o, "thp", env_choice("%s/enabled", thp));
	json_object_set_new(o, "thp_shmem", env_choice("%s/shmem_enabled", thp));
	json_object_set_new(o, "huge_pages", env_number("/proc/sys/vm/nr_hugepages"));
	json_object_set_new(o, "aslr", env_number("/proc/sys/kernel/randomize_va_space"));
	json_object_set_new(o, "swappiness", env_number("/proc/sys/vm/swappiness"));
	json_object_set_new(o, "numa_balancing", env_number("/proc/sys/kernel/numa_balancing"));
	json_object_set_new(o, "nodes", env_text("/sys/devices/system/node/online"));
	json_decref(total);
	json_decref(free_kb);
	return o;
}

/*
 * Path of the own group in the hierarchy of a controller, "" for the unified one: a line
 * "ID:CONTROLLERS:PATH" of /proc/self/cgroup. "/" when it is not there.
 */
static void group_path(const char *controller, char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1024], *names, *p;

	snprintf(path, size, "/");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		names = strchr(line, ':');
		p = names ? strchr(++names, ':') : NULL;
		if (!p)
			continue;
		*p++ = 0;
		if (!strcmp(names, controller))
			snprintf(path, size, "%s", p);
	}
	if (f)
		fclose(f);
}

/* A file of the own group, wherever it is mounted. The root group has no limit files. */
static json_t *group_file(const char *const *mounts, const char *controller, const char *file)
{
	json_t *v = json_null();
	char path[1024];

	group_path(controller, path, sizeof(path));
	for (; *mounts && json_is_null(v); mounts++) {
		v = env_text("%s%s/%s", *mounts, strcmp(path, "/") ? path : "", file);
		if (json_is_null(v)) /* the path is that of the host, the mount is our group's */
			v = env_text("%s/%s", *mounts, file);
	}
	return v;
}

json_t *env_cgroup(void)
{
	static const char *const v2[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL };
	static const char *const cpu[] = { "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct",
					   NULL };
	static const char *const set[] = { "/sys/fs/cgroup/cpuset", NULL };
	json_t *o = json_object();

	json_object_set_new(o, "cpu_max", group_file(v2, "", "cpu.max"));
	json_object_set_new(o, "cpuset", group_file(v2, "", "cpuset.cpus.effective"));
	json_object_set_new(o, "v1_cpu_quota_us", group_file(cpu, "cpu", "cpu.cfs_quota_us"));
	json_object_set_new(o, "v1_cpu_period_us", group_file(cpu, "cpu", "cpu.cfs_period_us"));
	json_object_set_new(o, "v1_cpuset", group_file(set, "cpuset", "cpuset.effective_cpus"));
	return o;
}

json_t *env_isolation(void)
{
	static const char cpu[] = "/sys/devices/system/cpu";
	json_t *o = json_object();

	json_object_set_new(o, "isolcpus", env_text("%s/isolated", cpu));
	json_object_set_new(o, "nohz_full", env_text("%s/nohz_full", cpu));
	json_object_set_new(o, "preempt", env_choice("/sys/kernel/debug/sched/preempt"));
	json_object_set_new(o, "rt_runtime_us", env_number("/proc/sys/kernel/sched_rt_runtime_us"));
	json_object_set_new(o, "autogroup", env_number("/proc/sys/kernel/sched_autogroup_enabled"));
	return o;
}

static json_t *rlimit(int which)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)which, &r))
		return json_null();
	if (r.rlim_cur == RLIM_INFINITY)
		return json_string("unlimited");
	return json_integer((json_int_t)r.rlim_cur);
}

json_t *env_rlimits(void)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "memlock_bytes", rlimit(RLIMIT_MEMLOCK),
			 "msgqueue_bytes", rlimit(RLIMIT_MSGQUEUE), "nofile", rlimit(RLIMIT_NOFILE),
			 "nproc", rlimit(RLIMIT_NPROC), "rtprio", rlimit(RLIMIT_RTPRIO), "nice",
			 rlimit(RLIMIT_NICE));
}

json_t *env_ipc(void)
{
	static const struct {
		const char *key, *path;
	} file[] = {
		{ "pipe_max_size", "/proc/sys/fs/pipe-max-size" },
		{ "pipe_user_pages_soft", "/proc/sys/fs/pipe-user-pages-soft" },
		{ "mq_msg_max", "/proc/sys/fs/mqueue/msg_max" },
		{ "mq_msg_default", "/proc/sys/fs/mqueue/msg_default" },
		{ "mq_msgsize_max", "/proc/sys/fs/mqueue/msgsize_max" },
		{ "mq_queues_max", "/proc/sys/fs/mqueue/queues_max" },
		{ "sysv_msgmax", "/proc/sys/kernel/msgmax" },
		{ "sysv_msgmnb", "/proc/sys/kernel/msgmnb" },
		{ "sysv_msgmni", "/proc/sys/kernel/msgmni" },
		{ "unix_max_dgram_qlen", "/proc/sys/net/unix/max_dgram_qlen" },
		{ "socket_wmem_default", "/proc/sys/net/core/wmem_default" },
		{ "socket_wmem_max", "/proc/sys/net/core/wmem_max" },
		{ "socket_rmem_default", "/proc/sys/net/core/rmem_default" },
		{ "socket_rmem_max", "/proc/sys/net/core/rmem_max" },
		{ "file_max", "/proc/sys/fs/file-max" },
	};
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		json_object_set_new(o, file[i].key, env_number("%s", file[i].path));
	return o;
}

json_t *env_security(void)
{
	json_t *o = json_object();

	json_object_set_new(o, "root", json_boolean(geteuid() == 0));
	json_object_set_new(o, "seccomp_mode", env_field_number("/proc/self/status", "Seccomp"));
	json_object_set_new(o, "io_uring_disabled",
			    env_number("/proc/sys/kernel/io_uring_disabled"));
	json_object_set_new(o, "perf_event_paranoid",
			    env_number("/proc/sys/kernel/perf_event_paranoid"));
	json_object_set_new(o, "yama_ptrace_scope",
			    env_number("/proc/sys/kernel/yama/ptrace_scope"));
	json_object_set_new(o, "lsm", env_text("/sys/kernel/security/lsm"));
	return o;
}
