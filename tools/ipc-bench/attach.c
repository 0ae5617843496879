/* SPDX-License-Identifier: MIT */
#include "attach.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define UNTIMED		3	/* rounds before the first that counts */
#define FILL_NS		BENCH_NS

static struct hist unused;	/* the loops record transits, which are not asked for */

const char *attach_phase_name(enum attach_phase phase)
{
	static const char *const names[] = { "make", "connect", "pass", "drop" };

	return names[phase];
}

static const struct mech *mech_of(const struct worker *w)
{
	return mechs[w->control->task.mechanism];
}

static void note(struct worker *w, enum attach_phase phase, uint64_t round, int64_t ns)
{
	struct attach *a = &w->control->attach;

	if (round >= UNTIMED && a->count[phase] < ATTACH_ROUNDS)
		a->ns[phase][a->count[phase]++] = ns;
}

/* A worker that moves one message, through another object than the one of the repeat. */
static struct worker for_one(const struct worker *w, const struct port *port)
{
	struct worker one = *w;

	one.port = *port;
	one.hist = &unused;
	one.stop = 0;
	one.limit = one.expected = 1;
	return one;
}

static int send_one(const struct worker *w, const struct link *link, uint64_t sequence)
{
	struct worker one = for_one(w, &link->port[0]);

	one.sent.count = sequence;
	return mech_of(w)->loops->stream_send(&one);
}

/* Receive the next message of the sequence. */
static int receive_one(struct worker *w, const struct link *link)
{
	struct worker one = for_one(w, &link->port[1]);
	int r;

	r = mech_of(w)->loops->stream_recv(&one);
	if (r < 0)
		return r;
	w->sent.sum += pattern_sum(&w->shape, pattern_header(0, w->sent.count++));
	w->end = one.end;
	return 0;
}

/* A name that an object has for a moment must not outlive a signal. */
static int make_one(struct worker *w, struct link *link, int64_t *ret_ns)
{
	sigset_t all, before;
	int64_t begin;
	int r;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	begin = bench_now();
	r = mech_make(mech_of(w), link);
	*ret_ns = bench_now() - begin;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int64_t drop_one(struct worker *w, struct link *link)
{
	const struct mech *mech = mech_of(w);
	int64_t begin = bench_now();

	mech_close(mech, link, 0);
	mech_close(mech, link, 1);
	mech_remove(mech, link);
	return bench_now() - begin;
}

/* The child: its time is written where the parent reads it. */
__attribute__((noreturn)) static void connect_child(struct worker *w, struct link *link,
						    int64_t *ret_ns)
{
	int64_t begin = bench_now();
	int r;

	mech_close(mech_of(w), link, 1);
	r = send_one(w, link, w->sent.count);
	*ret_ns = bench_now() - begin;
	mech_close(mech_of(w), link, 0);
	_exit(r < 0);
}

static int connect_one(struct worker *w, struct link *link, uint64_t round)
{
	int64_t *ns = &w->control->attach.ns[ATTACH_CONNECT][ATTACH_ROUNDS - 1];
	pid_t parent = getpid(), pid = fork();
	int status = 0, r;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || bench_pin(w->control->task.cpu[1]) < 0)
			_exit(1);
		connect_child(w, link, ns);
	}
	r = receive_one(w, link);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	note(w, ATTACH_CONNECT, round, *ns);
	return r < 0 ? r : status == 0 ? 0 : -EIO;
}

static int pass_one(struct worker *w, struct link *link, uint64_t round)
{
	int64_t begin = bench_now();
	int r;

	__atomic_store_n(&w->control->attach.sequence, w->sent.count, __ATOMIC_RELEASE);
	r = mech_of(w)->pass(link, 0, w->link->socket[0]);
	if (r == 0)
		r = receive_one(w, link);
	if (r == 0)
		note(w, ATTACH_PASS, round, w->end - begin);
	return r;
}

static struct link blank(const struct worker *w)
{
	struct link link = {
		.setup = w->control->task.setup,
		.leftovers = &w->control->leftovers[1],
	};

	mech_blank(&link);
	return link;
}

/* One object's life, with @use in the middle. */
static int one_life(struct worker *w, uint64_t round,
		    int (*use)(struct worker *w, struct link *link, uint64_t round))
{
	struct link link = blank(w);
	int64_t ns;
	int r;

	r = make_one(w, &link, &ns);
	if (r < 0)
		return r;
	note(w, ATTACH_MAKE, round, ns);
	r = use(w, &link, round);
	ns = drop_one(w, &link);
	note(w, ATTACH_DROP, round, ns);
	return r;
}

static uint64_t heap(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}

static uint32_t descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint32_t count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

static uint64_t held(const struct worker *w, const struct link *link)
{
	return heap() + mech_of(w)->held(link);
}

/* Memory of one object: empty, then with one direction full. */
static int weigh(struct worker *w)
{
	struct attach *a = &w->control->attach;
	struct link link = blank(w);
	uint32_t before_count = descriptors();
	uint64_t before = held(w, &link);
	int64_t deadline = bench_now() + FILL_NS;
	int r;

	r = mech_make(mech_of(w), &link);
	if (r < 0)
		return r;
	a->descriptors = descriptors() - before_count;
	a->empty_bytes = held(w, &link) - before;
	/* What has no end stays empty. */
	while (mech_of(w)->try_send && mech_of(w)->try_send(&link, w->out) == 0 &&
	       bench_now() < deadline)
		;
	a->full_bytes = held(w, &link) - before;
	drop_one(w, &link);
	return 0;
}

int attach_make(struct worker *w)
{
	uint64_t done;
	int r = 0;

	for (done = 0; r == 0 && done < ATTACH_ROUNDS && worker_goes_on(w, done); done++) {
		r = one_life(w, done, connect_one);
		if (r == 0 && mech_of(w)->pass)
			r = one_life(w, done, pass_one);
	}
	w->done = done;
	shutdown(w->link->socket[0], SHUT_WR);
	return r < 0 ? r : weigh(w);
}

int attach_serve(struct worker *w)
{
	const struct mech *mech = mech_of(w);
	struct link link;
	int r = 0;

	while (mech->pass && r == 0) {
		link = blank(w);
		r = mech->accept(&link, 0, w->link->socket[1]);
		if (r < 0)
			break;
		r = send_one(w, &link,
			     __atomic_load_n(&w->control->attach.sequence, __ATOMIC_ACQUIRE));
		mech_close(mech, &link, 0);
	}
	w->end = bench_now();
	return r == -EPIPE ? 0 : r;
}
