/* SPDX-License-Identifier: MIT */
/*
 * A queue in a control group that has little memory: what does not fit is refused, and nobody is
 * killed. Needs a machine that lets us make groups.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cc.h"
#include "weir.h"

#define MIB	(UINT64_C(1) << 20)
#define LIMIT	(64 * MIB)

static char group[600];

/* The folder of this process's group for memory; false: there is none that we know of. */
static bool find_group(char *folder, size_t size, const char **ret_limit)
{
	char line[512];
	bool found = false;
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (file && fgets(line, sizeof(line), file)) {
		char *path = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (path && strstr(line, ":memory:")) {
			snprintf(folder, size, "/sys/fs/cgroup/memory%s", path);
			*ret_limit = "memory.limit_in_bytes";
			found = true;
			break;
		}
		if (path && strncmp(line, "0::", 3) == 0) {
			snprintf(folder, size, "/sys/fs/cgroup%s", path);
			*ret_limit = "memory.max";
			found = true;
		}
	}
	if (file)
		fclose(file);
	return found;
}

static bool write_to(const char *name, const char *text)
{
	char path[800];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return good;
}

/* Processes that end leave it soon after. */
static void remove_group(void)
{
	int64_t deadline = soon();

	while (rmdir(group) < 0 && errno == EBUSY && test_now() < deadline)
		usleep(1000);
}

static bool make_group(void)
{
	char folder[512], text[32];
	const char *limit;

	if (!find_group(folder, sizeof(folder), &limit))
		return false;
	snprintf(group, sizeof(group), "%s/weir-test-%d", folder, (int)getpid());
	if (mkdir(group, 0755) < 0)
		return false;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)LIMIT);
	if (write_to(limit, text))
		return true;
	remove_group();
	return false;
}

static int enter_group(void *arg)
{
	(void)arg;
	return write_to("cgroup.procs", "0") ? 0 : 1;
}

static const char *group_unavailable(void)
{
	struct child child;
	int status;

	if (kernel_unavailable())
		return kernel_unavailable();
	if (!make_group())
		return "control groups with a limit cannot be made here";
	child = child_start(enter_group, NULL);
	status = child_join(&child);
	remove_group();
	return status == 0 ? NULL : "nobody can be put into a control group here";
}

static void setup(void)
{
	ck_assert(make_group());
}

static void teardown(void)
{
	remove_group();
}

static const struct weir_queue_options options = {
	.size = sizeof(options),
	.max_bytes = 1024 * MIB,
};

static char message[100000];

/* Put until it is refused; how many bytes. */
static uint64_t fill(struct weir_queue *queue, size_t size)
{
	uint64_t bytes = 0;
	int result;

	while ((result = weir_queue_put(queue, message, size, 0, 0)) == 0)
		bytes += size;
	child_check(result == -ENOBUFS);
	return bytes;
}

static int put_until_it_is_refused(void *arg)
{
	static const size_t sizes[] = { 100000, 300 };
	struct weir_queue *queue;
	size_t got;

	(void)arg;
	child_check(enter_group(NULL) == 0);
	child_check(weir_queue(&queue, &options) == 0);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		uint64_t bytes = fill(queue, sizes[i]), got_bytes = 0;

		/* Most of the limit is used, or was, by the bytes and their slots. */
		child_check(bytes > (LIMIT / 4));
		child_check(bytes < LIMIT);
		/* What is in it is whole, and makes room for others. */
		while (weir_queue_get(queue, message, sizeof(message), 0, 0, &got) == 0)
			got_bytes += got;
		child_check(got_bytes == bytes);
	}
	weir_queue_close(queue);
	return 0;
}

START_TEST(queue_in_a_group_with_little_memory_refuses_and_is_not_killed)
{
	struct child child = child_start(put_until_it_is_refused, NULL);

	child_join_ok(&child);
}
END_TEST

static int make_default(void *arg)
{
	struct weir_queue_stat st = { .size = sizeof(st) };
	struct weir_queue *queue;

	(void)arg;
	child_check(enter_group(NULL) == 0);
	child_check(weir_queue(&queue, NULL) == 0);
	child_check(weir_queue_stat(queue, &st) == 0);
	child_check(st.max_bytes <= LIMIT / 4);
	weir_queue_close(queue);
	return 0;
}

START_TEST(default_of_max_bytes_is_of_the_group)
{
	struct child child = child_start(make_default, NULL);

	child_join_ok(&child);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-cgroup");
	TCase *tcase = tcase_create("group");
	const char *unavailable = group_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, queue_in_a_group_with_little_memory_refuses_and_is_not_killed);
	tcase_add_test(tcase, default_of_max_bytes_is_of_the_group);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
