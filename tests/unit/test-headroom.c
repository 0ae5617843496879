/* SPDX-License-Identifier: MIT */
/* What is left of the memory, in folders that say what the kernel would say. */
#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/headroom.h"

#define MIB	(UINT64_C(1) << 20)
#define NONE	"9223372036854771712\n"	/* in version 1 */
#define V1	"sys/fs/cgroup/memory"
#define V2	"sys/fs/cgroup"

static char root[64];

static void setup(void)
{
	snprintf(root, sizeof(root), "/tmp/weir-headroom-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	headroom_root = root;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	headroom_root = "";
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* With all folders above it. */
static void write_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	int fd, length;

	length = snprintf(path, sizeof(path), "%s/%s/", root, folder);
	for (int i = (int)strlen(root) + 1; i < length; i++) {
		if (path[i] != '/')
			continue;
		path[i] = '\0';
		mkdir(path, 0700);
		path[i] = '/';
	}
	snprintf(path + length, sizeof(path) - (size_t)length, "%s", name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void write_mib(const char *folder, const char *name, uint64_t mib)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)(mib * MIB));
	write_file(folder, name, text);
}

static void say_machine(uint64_t total, uint64_t available)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "MemTotal:  %llu kB\nMemFree:  1 kB\nMemAvailable:  %llu kB\nBuffers: 2 kB\n",
		 (unsigned long long)total * 1024, (unsigned long long)available * 1024);
	write_file("proc", "meminfo", text);
}

static void say_group(const char *text)
{
	write_file("proc/self", "cgroup", text);
}

static void say_stat(const char *folder, const char *inactive, const char *active)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "anon 1\nfile 5000000000\nshmem 4\ninactive_anon 6\nactive_anon 7\n"
		 "%s %llu\n%s %llu\nunevictable 0\n",
		 inactive, 20 * (unsigned long long)MIB, active, 10 * (unsigned long long)MIB);
	write_file(folder, "memory.stat", text);
}

static void say_v2(const char *folder, uint64_t max, uint64_t current)
{
	write_mib(folder, "memory.max", max);
	write_file(folder, "memory.high", "max\n");
	write_mib(folder, "memory.current", current);
}

static void say_v1(const char *folder, uint64_t limit, uint64_t usage)
{
	write_mib(folder, "memory.limit_in_bytes", limit);
	write_mib(folder, "memory.usage_in_bytes", usage);
}

#define expect(mib)	ck_assert_uint_eq(headroom(), (mib) * MIB)
#define expect_unknown()	ck_assert_uint_eq(headroom(), UINT64_MAX)

/* Without what is kept: 32 MiB, or of less than 256 MiB an eighth. */

START_TEST(nobody_tells)
{
	expect_unknown();
	write_file("proc", "meminfo", "MemTotal: 5 kB\n");
	expect_unknown();
	write_file("proc", "meminfo", "");
	say_group("");
	expect_unknown();
}
END_TEST

START_TEST(machine_has_what_is_available)
{
	say_machine(8000, 1000);
	expect(1000 - 32);
	say_machine(8000, 20);
	expect(0);
	say_machine(64, 20);
	expect(20 - 8);
}
END_TEST

START_TEST(group_of_version_2_has_what_is_below_its_limit)
{
	say_machine(8000, 4000);
	say_group("0::/a/b\n");
	say_v2(V2 "/a/b", 500, 100);
	expect(400 - 32);
	/* What the kernel would drop is not in the way; shared memory it would not. */
	say_stat(V2 "/a/b", "inactive_file", "active_file");
	expect(430 - 32);
	say_v2(V2 "/a/b", 500, 10);
	expect(500 - 32);
	say_v2(V2 "/a/b", 500, 600);
	expect(0);
	say_v2(V2 "/a/b", 64, 40);
	expect(64 - 10 - 8);
}
END_TEST

START_TEST(each_group_above_counts)
{
	say_machine(8000, 4000);
	say_group("0::/a/b/c\n");
	say_v2(V2 "/a/b/c", 3000, 100);
	expect(2900 - 32);
	say_v2(V2 "/a/b", 2000, 100);
	expect(1900 - 32);
	say_v2(V2 "/a", 1000, 100);
	expect(900 - 32);
	/* In a container the root of what it sees is its own group. */
	say_v2(V2, 800, 100);
	expect(700 - 32);
	say_machine(8000, 500);
	expect(500 - 32);
	/* Those beside are not. */
	say_v2(V2 "/b", 100, 100);
	say_v2(V2 "/a/b/d", 100, 100);
	expect(500 - 32);
}
END_TEST

START_TEST(no_limit_is_none)
{
	say_machine(8000, 4000);
	say_group("0::/a\n");
	say_v2(V2 "/a", 0, 3000);
	write_file(V2 "/a", "memory.max", "max\n");
	expect(4000 - 32);
	/* Whoever goes beyond this one is slowed down without end. */
	write_mib(V2 "/a", "memory.high", 3500);
	expect(500 - 32);
	say_group("4:memory:/a\n");
	say_v1(V1 "/a", 0, 3000);
	write_file(V1 "/a", "memory.limit_in_bytes", NONE);
	expect(4000 - 32);
}
END_TEST

START_TEST(group_of_a_container_whose_path_is_not_there)
{
	say_machine(8000, 4000);
	say_group("0::/docker/0123456789abcdef\n");
	expect(4000 - 32);
	say_v2(V2, 600, 100);
	expect(500 - 32);
	say_group("0::/../other\n");
	expect(500 - 32);
	say_group("0::/\n");
	expect(500 - 32);
}
END_TEST

START_TEST(group_of_version_1)
{
	say_machine(8000, 4000);
	say_group("9:name=systemd:/x\n5:cpu,memory:/a/b\n3:cpuset:/\n0::/c\n");
	say_v1(V1 "/a/b", 600, 100);
	expect(500 - 32);
	say_stat(V1 "/a/b", "total_inactive_file", "total_active_file");
	expect(530 - 32);
	/* Not those of this group without its children. */
	say_stat(V1 "/a/b", "inactive_file", "active_file");
	expect(500 - 32);
	say_v1(V1 "/a", 400, 100);
	expect(300 - 32);
	say_v1(V1, 300, 100);
	expect(200 - 32);
	/* Memory is of one version, and that is the first. */
	say_v2(V2 "/c", 100, 100);
	expect(200 - 32);
	say_group("9:name=memory:/c\n4:memory2:/c\n");
	expect(4000 - 32);
}
END_TEST

START_TEST(files_that_say_nothing_are_no_limit)
{
	say_machine(8000, 4000);
	say_group("garbage\n::\n0:\n0::relative\n");
	expect(4000 - 32);
	say_group("0::/a\n");
	write_file(V2 "/a", "memory.max", "");
	expect(4000 - 32);
	write_file(V2 "/a", "memory.max", "-5\n");
	expect(4000 - 32);
	/* A limit, and nobody says how much of it is used. */
	write_mib(V2 "/a", "memory.max", 100);
	expect(4000 - 32);
}
END_TEST

START_TEST(path_that_is_too_long_is_not_looked_at)
{
	char text[6000];

	memset(text, 'a', sizeof(text));
	memcpy(text, "0::/", 4);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	say_machine(8000, 4000);
	say_group(text);
	expect(4000 - 32);
}
END_TEST

START_TEST(machine_of_this_test_has_some)
{
	headroom_root = "";
	ck_assert_uint_gt(headroom(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("headroom");
	TCase *tcase = tcase_create("files");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nobody_tells);
	tcase_add_test(tcase, machine_has_what_is_available);
	tcase_add_test(tcase, group_of_version_2_has_what_is_below_its_limit);
	tcase_add_test(tcase, each_group_above_counts);
	tcase_add_test(tcase, no_limit_is_none);
	tcase_add_test(tcase, group_of_a_container_whose_path_is_not_there);
	tcase_add_test(tcase, group_of_version_1);
	tcase_add_test(tcase, files_that_say_nothing_are_no_limit);
	tcase_add_test(tcase, path_that_is_too_long_is_not_looked_at);
	tcase_add_test(tcase, machine_of_this_test_has_some);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
