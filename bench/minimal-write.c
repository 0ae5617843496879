/* SPDX-License-Identifier: MIT */
/*
 * writev(2) against io_uring, one write at a time: CPU time of the whole process, worker threads of
 * the kernel included, for each part of a gathered write. Parts lie as messages in a ring do, apart
 * and in one buffer, which is registered for the last way.
 *
 *	minimal-write [bytes of a part] [parts]
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS		41
#define WRITES		100
#define PARTS_MAX	512
#define OP_WRITEV_FIXED	61	/* Linux 6.15 */

enum way {
	PLAIN,
	RING,
	REGISTERED,
	WAYS
};

static const char *const targets[] = { "tmpfs", "pipe", "socket" };

static struct io_uring ring;
static struct iovec parts[PARTS_MAX];
static size_t size = 4096, count = 16;
static int fds[2];	/* written; read, or -1 */
static char drained[1 << 20];

static int open_target(int target)
{
	int room = 1 << 20, swap;

	fds[1] = -1;
	if (target == 0)
		return fds[0] = memfd_create("minimal-write", 0);
	if (target == 1) {
		if (pipe(fds) < 0)
			return -1;
		swap = fds[0], fds[0] = fds[1], fds[1] = swap;
		return fcntl(fds[0], F_SETPIPE_SZ, room);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	return setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

static long write_once(enum way way)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	long result;

	if (way == PLAIN)
		return writev(fds[0], parts, (int)count);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_writev(sqe, fds[0], parts, (unsigned int)count, (__u64)-1);
	if (way == REGISTERED) {
		sqe->opcode = OP_WRITEV_FIXED;
		sqe->buf_index = 0;
	}
	io_uring_submit_and_wait(&ring, 1);
	if (io_uring_peek_cqe(&ring, &cqe) < 0)
		return -EIO;
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Have what was written taken away, or go over it again. */
static int make_room(size_t left)
{
	while (fds[1] >= 0 && left > 0) {
		ssize_t n = read(fds[1], drained, left < sizeof(drained) ? left : sizeof(drained));

		if (n <= 0)
			return -1;
		left -= (size_t)n;
	}
	return fds[1] < 0 && lseek(fds[0], 0, SEEK_CUR) > 64 << 20 && lseek(fds[0], 0, SEEK_SET);
}

/* Nanoseconds a part; negative: it cannot be done that way. */
static double block(enum way way)
{
	double sum = 0;

	for (int i = 0; i < WRITES; i++) {
		double begin = cpu_ns();

		if (write_once(way) != (long)(size * count))
			return -1;
		sum += cpu_ns() - begin;
		if (make_room(size * count) < 0)
			return -1;
	}
	return sum / WRITES / (double)count;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(int target)
{
	static double ns[WAYS][BLOCKS];

	if (open_target(target) < 0)
		return;
	for (int b = 0; b < BLOCKS; b++)
		for (int way = 0; way < WAYS; way++)
			ns[way][b] = block((enum way)way);
	for (int way = 0; way < WAYS; way++)
		qsort(ns[way], BLOCKS, sizeof(double), by_value);
	printf("%-6s  writev %7.0f  io_uring %7.0f  registered %7.0f  ns of CPU a part\n",
	       targets[target], ns[PLAIN][BLOCKS / 2], ns[RING][BLOCKS / 2],
	       ns[REGISTERED][BLOCKS / 2]);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
}

int main(int argc, char **argv)
{
	struct iovec all;

	if (argc > 1)
		size = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		count = strtoul(argv[2], NULL, 10);
	if (size == 0 || count == 0 || count > PARTS_MAX || size * count > sizeof(drained) / 2)
		return 2;
	all.iov_len = (size + 8) * count;
	all.iov_base = mmap(NULL, all.iov_len, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (all.iov_base == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < count; i++)
		parts[i] = (struct iovec){ (char *)all.iov_base + i * (size + 8), size };
	if (io_uring_queue_init(4, &ring, 0) < 0) {
		fprintf(stderr, "minimal-write: there is no io_uring here\n");
		return 1;
	}
	io_uring_register_buffers(&ring, &all, 1);
	printf("%zu parts of %zu bytes, medians of %d blocks of %d writes; -1: not possible\n",
	       count, size, BLOCKS, WRITES);
	for (int target = 0; target < 3; target++)
		measure(target);
	return 0;
}
