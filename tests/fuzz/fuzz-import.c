/* SPDX-License-Identifier: MIT */
/*
 * Handles from outside: texts, parcels in messages with all sorts of descriptors, and segments with
 * all sorts of headers. Whatever comes, no descriptor is left open or closed that should not be,
 * and what is accepted works. The first byte says which of them it is.
 *
 *	0 text			a to h stand for descriptors that were exported
 *	1 type count sorts note	changes of a good note; sent with such descriptors
 *	2 size header		changes of a good header, in a file of the size that it had, or less
 *	3 text			as 0, of a queue
 *	4 size front		as 2, of a queue: changes of its header, then of its geometry
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cc.h"
#include "obj/parcel.h"
#include "obj/pipe.h"
#include "obj/queue.h"
#include "sys/sys.h"
#include "weir.h"

#define OURS		8	/* descriptors of a duplex end */
#define SORTS		(OURS + 6)
#define TEXT_MAX	400

static struct weir_end *ends[2];
static struct weir_queue *queue;
/* Those of ends[1], then such as have nothing to do with it. */
static int sorts[SORTS];

static void open_once(void)
{
	const struct weir_pipe_options options = { .size = sizeof(options), .capacity = 4096 };
	const struct weir_queue_options queue_options = {
		.size = sizeof(queue_options),
		.max_bytes = UINT64_C(1) << 20,
	};
	struct parcel p;
	int fds[2];

	if (ends[0])
		return;
	fuzz_check(weir_pipe(ends, &options) == 0);
	fuzz_check(weir_queue(&queue, &queue_options) == 0);
	parcel_of_end(ends[1], &p);
	memcpy(sorts, p.fds, OURS * sizeof(int));
	fuzz_check(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
	sorts[OURS] = fds[0];
	sorts[OURS + 1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	sorts[OURS + 2] = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	sorts[OURS + 3] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	sorts[OURS + 4] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	sorts[OURS + 5] = fds[0];
}

static int count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	fuzz_check(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* It was accepted, so it is one of ours, and can be used. */
static void use_and_close(struct weir_end *end)
{
	uint32_t events;

	weir_pipe_poll(end, WEIR_HUP, 0, 0, &events);
	weir_pipe_send(end, "x", 1, 0, 0);
	while (end->rx && weir_pipe_recv(end, NULL, 0, 0, 0, NULL) == 0)
		;
	weir_pipe_close(end);
}

static void use_and_close_queue(struct weir_queue *q)
{
	struct weir_queue_stat st = { .size = sizeof(st) };

	weir_queue_put(q, "x", 1, 0, 0);
	weir_queue_get(q, NULL, 0, 0, 0, NULL);
	weir_queue_stat(q, &st);
	weir_queue_close(q);
}

/* What other inputs have sent would fill the ring, which is nobody's fault. */
static void drain(void)
{
	char buffer[64];

	for (int i = 0; i < 2; i++) {
		while (weir_pipe_recv(ends[i], buffer, sizeof(buffer), 0, 0, NULL) == 0)
			;
		weir_pipe_handover(ends[i]);
	}
}

/*
 * Texts
 */

/* The text of @data, its letters replaced by what @exported names. */
static void write_text(char *text, const uint8_t *data, size_t size, const char *exported)
{
	const char *fds[OURS];
	size_t at = 0;

	for (int i = 0; i < 3; i++)
		exported = strchr(exported, ':') + 1;
	exported = strchr(exported, ':') ? strchr(exported, ':') + 1 : exported;
	for (int i = 0; i < OURS; i++) {
		fds[i] = exported;
		exported = strchr(exported, ',') ? strchr(exported, ',') + 1 : exported;
	}
	for (size_t i = 0; i < size && at < TEXT_MAX - 12; i++) {
		if (data[i] < 'a' || data[i] > 'h' || (data[i] == 'e' && at == 1)) {
			text[at++] = (char)data[i];
			continue;
		}
		for (const char *c = fds[data[i] - 'a']; *c >= '0' && *c <= '9'; c++)
			text[at++] = *c;
	}
	text[at] = '\0';
}

static void try_text(const void *handle, uint32_t kind, const uint8_t *data, size_t size)
{
	char exported[WEIR_EXPORT_SIZE], text[TEXT_MAX];
	int before = count_fds(), result;
	void *made = NULL;
	struct parcel p;

	fuzz_check(parcel_of(handle, &p) == 0);
	fuzz_check(weir_export(handle, exported, sizeof(exported)) > 0);
	write_text(text, data, size, exported);
	result = weir_import(text, kind, &made);
	if (result < 0)
		fuzz_check(!made && count_fds() == before + (int)p.note.fd_count);
	else if (kind == WEIR_KIND_QUEUE)
		use_and_close_queue(made);
	else
		use_and_close(made);
	/* Those that were not taken are all still there. */
	result = weir_unexport(exported);
	fuzz_check(result == 0 || result == -EBADF);
	fuzz_check(count_fds() == before);
}

/*
 * Parcels
 */

static void change(void *good, size_t room, const uint8_t *data, size_t size)
{
	uint8_t *bytes = good;

	for (size_t i = 0; i < room && i < size; i++)
		bytes[i] ^= data[i];
}

static void receive(int socket)
{
	struct weir_end *end = NULL;
	struct parcel p;

	if (parcel_recv(socket, &p, 0, 0) < 0)
		return;
	if (parcel_open_end(&p, &end) == 0)
		use_and_close(end);
	else
		fuzz_check(!end);
}

static void try_parcel(const uint8_t *data, size_t size)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	int before = count_fds(), sockets[2], fds[SYS_FDS_MAX];
	size_t count = 0, bytes;
	struct parcel p;

	if (size < 2 || size < 2 + (size_t)data[1])
		return;
	for (; count < data[1] && count < SYS_FDS_MAX; count++)
		fds[count] = sorts[data[2 + count] % SORTS];
	parcel_of_end(ends[1], &p);
	bytes = size - 2 - data[1];
	change(&p.note, sizeof(p.note), data + 2 + data[1], bytes);
	/* Shorter and longer ones too. */
	bytes = bytes < 8 ? sizeof(p.note) : bytes < sizeof(p.note) ? bytes : sizeof(p.note);
	fuzz_check(socketpair(AF_UNIX, types[data[0] % 3] | SOCK_CLOEXEC, 0, sockets) == 0);
	fuzz_check(sys_send_fds(sockets[0], &p.note, bytes, fds, count) == (int)bytes);
	receive(sockets[1]);
	close(sockets[0]);
	close(sockets[1]);
	fuzz_check(count_fds() == before);
}

/*
 * Segments
 */

/* A file of @length bytes, sealed, with @front at its beginning. */
static int make_memfd(uint64_t length, const void *front, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fuzz_check(fd >= 0 && ftruncate(fd, (off_t)length) == 0);
	if (length >= size)
		fuzz_check(pwrite(fd, front, size, 0) == (ssize_t)size);
	fuzz_check(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	return fd;
}

static void try_segment(const uint8_t *data, size_t size)
{
	struct weir_segment_header h;
	int before = count_fds();
	struct weir_end *end = NULL;
	struct parcel p;
	uint64_t length;

	memcpy(&h, ends[1]->core->segment.front, sizeof(h));
	length = size > 0 && data[0] < 16 ? data[0] * UINT64_C(1024) : h.size;
	if (size > 1)
		change(&h, sizeof(h), data + 1, size - 1);
	parcel_of_end(ends[1], &p);
	p.fds[0] = make_memfd(length, &h, sizeof(h));
	for (uint32_t i = 1; i < p.note.fd_count; i++)
		p.fds[i] = sys_dup(p.fds[i]);
	if (parcel_open_end(&p, &end) == 0)
		use_and_close(end);
	else
		fuzz_check(!end);
	fuzz_check(count_fds() == before);
}

static void try_queue(const uint8_t *data, size_t size)
{
	struct {
		struct weir_segment_header header;
		uint8_t gap[WEIR_QUEUE_GEOMETRY_OFFSET - sizeof(struct weir_segment_header)];
		struct weir_queue_geometry geometry;
	} front;
	const size_t header = sizeof(front.header);
	struct weir_queue *q = NULL;
	int before = count_fds();
	struct parcel p;
	uint64_t length;

	fuzz_check(pread(queue->store.fd, &front, sizeof(front), 0) == sizeof(front));
	length = size > 0 && data[0] < 16 ? data[0] * UINT64_C(1024) : front.header.size;
	if (size > 1)
		change(&front.header, header, data + 1, size - 1);
	if (size > 1 + header)
		change(&front.geometry, sizeof(front.geometry), data + 1 + header,
		       size - 1 - header);
	fuzz_check(parcel_of(queue, &p) == 0);
	p.fds[0] = make_memfd(length, &front, sizeof(front));
	for (uint32_t i = 1; i < p.note.fd_count; i++)
		p.fds[i] = sys_dup(p.fds[i]);
	if (parcel_open(&p, &q) == 0)
		use_and_close_queue(q);
	else
		fuzz_check(!q);
	fuzz_check(count_fds() == before);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	open_once();
	if (size == 0)
		return;
	switch (data[0] % 5) {
	case 0: try_text(ends[1], WEIR_KIND_PIPE_END, data + 1, size - 1); break;
	case 1: try_parcel(data + 1, size - 1); break;
	case 2: try_segment(data + 1, size - 1); break;
	case 3: try_text(queue, WEIR_KIND_QUEUE, data + 1, size - 1); break;
	case 4: try_queue(data + 1, size - 1); break;
	}
	drain();
}
