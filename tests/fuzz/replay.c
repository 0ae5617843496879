/* SPDX-License-Identifier: MIT */
/*
 * replay FOLDER: play each file of a corpus once, in a process of its own, and every shorter one
 * that it begins with; TAP.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX	((size_t)1 << 20)
/* Longer ones are played as they are and not cut. */
#define CUT_MAX		512

/* A copy that ends where it ends, for whoever watches over memory. */
static void play_part(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	fuzz_one(copy, size);
	free(copy);
}

/* In a child. */
static void play(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = data && fd >= 0 ? read(fd, data, INPUT_MAX) : -1;

	if (size < 0)
		_exit(1);
	for (size_t part = size > CUT_MAX ? (size_t)size : 0; part <= (size_t)size; part++)
		play_part(data, part);
	free(data);
	close(fd);
}

static int is_good(const char *folder, const char *name)
{
	char path[PATH_MAX];
	int status = -1;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		play(path);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	int count = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : -1;

	if (count <= 0) {
		fprintf(stderr, "usage: replay FOLDER, which has inputs\n");
		return 2;
	}
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		printf("%s %d - %s\n", is_good(argv[1], name) ? "ok" : "not ok", i + 1, name);
		free(entries[i]);
	}
	free(entries);
	printf("1..%d\n", count);
	return 0;
}
