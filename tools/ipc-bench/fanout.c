/* SPDX-License-Identifier: MIT */
#include "fanout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "worker.h"

#define PATIENCE_NS	(2 * BENCH_NS)	/* with a reader */
#define PAUSES		200		/* then yield, where a reader may need this CPU */

static const char *const missing[] = {
	"does not sleep",
	"has not received its message",
};

/* ---- worker 0 ---- */

static int files[SIDE_MAX];	/* /proc/PID/stat of the readers */
static uint32_t sent;		/* messages to each reader, over all passes */

static uint32_t readers_of(const struct worker *w)
{
	return w->control->task.consumers;
}

static int open_files(struct worker *w)
{
	char path[40];

	for (uint32_t i = 0; i < readers_of(w); i++) {
		if (files[i] > 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat",
			 (int)w->control->fanout.reader[i].pid);
		files[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (files[i] < 0)
			return -errno;
	}
	return 0;
}

/* The state stands behind the name, which is in brackets and may contain any. */
static bool asleep(struct worker *w, uint32_t reader)
{
	char text[128];
	const char *end;
	ssize_t n = pread(files[reader], text, sizeof(text) - 1, 0);

	w->aside++;
	if (n <= 0)
		return false;
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] == 'S';
}

/* Say which reader it was that something took too long with. */
static int late(struct worker *w, uint32_t reader, bool received)
{
	snprintf(w->control->worker[w->index].error, MECH_WHY, "reader %u of %u %s", reader + 1,
		 readers_of(w), missing[received]);
	return -ETIMEDOUT;
}

/* One that was told twice is ahead from then on. */
static bool before(const uint32_t *count, uint32_t wanted)
{
	return (int32_t)(__atomic_load_n(count, __ATOMIC_ACQUIRE) - wanted) < 0;
}

/* Wait for a counter of all readers to be @wanted. */
static int await(struct worker *w, bool received, uint32_t wanted)
{
	struct fanout *f = &w->control->fanout;
	int64_t deadline = 0;

	for (uint32_t i = 0; i < readers_of(w); i++) {
		const uint32_t *count = received ? &f->reader[i].received : &f->reader[i].entered;

		for (unsigned int k = 1; before(count, wanted); k++) {
			bench_pause();
			if (k % PAUSES)
				continue;
			worker_yield(w);
			deadline = deadline ? deadline : bench_now() + PATIENCE_NS;
			if (bench_now() > deadline)
				return late(w, i, received);
		}
	}
	return 0;
}

static int await_sleep(struct worker *w)
{
	int64_t deadline = bench_now() + PATIENCE_NS;
	uint32_t i = 0, looks = 0;
	int r = await(w, false, sent + 1);

	if (r == 0)
		r = open_files(w);
	while (r == 0 && looks < 2) {
		for (i = 0; i < readers_of(w) && asleep(w, i); i++)
			;
		looks = i == readers_of(w) ? looks + 1 : 0;
		if (looks == 0)
			worker_yield(w);
		if (looks == 0 && bench_now() > deadline)
			return late(w, i, false);
	}
	return r;
}

/* To all, without waiting for anything but room. */
static int send_all(struct worker *w)
{
	int r = 0;

	for (uint32_t i = 0; i < readers_of(w) && r == 0; i++)
		r = w->way->out_send(w, i, w->out);
	if (r == 0)
		r = w->way->out_flush(w);
	sent++;
	return r;
}

static int64_t last_receipt(const struct worker *w)
{
	const struct fanout *f = &w->control->fanout;
	int64_t last = 0;

	for (uint32_t i = 0; i < readers_of(w); i++)
		if (f->reader[i].ns > last)
			last = f->reader[i].ns;
	return last;
}

static int one_round(struct worker *w)
{
	uint64_t sum = pattern_write(&w->shape, w->out, pattern_header(0, w->sent.count));
	int64_t begin = bench_now(), issued, all;
	int r;

	r = send_all(w);
	issued = bench_now() - begin;
	if (r == 0)
		r = await(w, true, sent);
	if (r < 0)
		return r;
	all = last_receipt(w) - begin;
	w->sent.count++;
	w->sent.sum += sum;
	w->busy_ns += all;
	w->issued_ns += issued;
	hist_record(w->hist, all);
	hist_record(w->issue, issued);
	return 0;
}

int fanout_send(struct worker *w)
{
	bool spins = w->port.wait == WAIT_SPIN;
	uint64_t done;
	int r = 0;

	w->busy_ns = w->issued_ns = 0;
	for (done = 0; worker_goes_on(w, done) && r == 0; done++) {
		r = spins ? await(w, false, sent + 1) : await_sleep(w);
		if (r == 0)
			r = one_round(w);
	}
	w->done = done;
	w->end = bench_now();
	if (w->way->out_over)
		w->way->out_over(w);
	if (r < 0 || w->expected != UINT64_MAX)
		return r;
	pattern_write(&w->shape, w->out, WORKER_END);
	return send_all(w);
}

/* ---- the readers ---- */

int fanout_recv(struct worker *w)
{
	const struct loops *loops = mechs[w->control->task.mechanism]->loops;
	struct fanout_reader *me = &w->control->fanout.reader[w->index - 1];
	uint64_t done, header, sum;
	int r = 0;

	if (!me->pid)
		me->pid = getpid();
	for (done = 0; done < w->expected; done++) {
		__atomic_store_n(&me->entered, me->entered + 1, __ATOMIC_RELEASE);
		r = loops->get(&w->port, w->in);
		if (r < 0)
			break;
		me->ns = w->end = bench_now();
		sum = pattern_read(&w->shape, w->in, &header);
		__atomic_store_n(&me->received, me->received + 1, __ATOMIC_RELEASE);
		if (header == WORKER_END)
			break;
		pattern_check_add(w->check, &w->shape, header, sum);
	}
	w->done = done;
	return r;
}

/* ---- afterwards ---- */

void fanout_judge(struct control *control)
{
	const struct task *task = &control->task;
	struct pattern_result one;

	for (unsigned int i = task->producers; i < task_workers(task); i++) {
		const struct pattern_check *reader = records_check(i);

		pattern_verdict(&reader, 1, &control->worker[0].sent, 1, &one);
		pattern_result_add(&control->integrity, &one);
	}
}
