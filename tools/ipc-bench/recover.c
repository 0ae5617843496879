/* SPDX-License-Identifier: MIT */
#include "recover.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define VICTIM_BYTES	(16 << 20)	/* that the kernel has to free before it is dead */
#define VICTIM		1		/* its number as a producer */
#define AHEAD		64		/* messages of a victim that are not received yet */
#define LOOK_NS		50000		/* between two looks; the times are taken by others */
#define PATIENCE_NS	(5 * BENCH_NS)
#define LIFE_MIN_NS	1000000		/* of a victim, from when it is ready */
#define LIFE_MORE_NS	3000000		/* and up to so much more */

const char *recover_kind_name(enum recover_kind kind)
{
	static const char *const names[] = { "taken", "served" };

	return names[kind];
}

static const struct mech *mech_of(const struct worker *w)
{
	return mechs[w->control->task.mechanism];
}

/* Sleep until *@word is @wanted. */
static int await(const uint32_t *word, uint32_t wanted)
{
	int64_t deadline = bench_now() + PATIENCE_NS;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != wanted) {
		if (bench_now() > deadline)
			return -ETIMEDOUT;
		bench_sleep(LOOK_NS);
	}
	return 0;
}

/* ---- the victim ---- */

static void stream(struct worker *w, struct recover *rc)
{
	uint64_t number = 0, received = __atomic_load_n(&rc->received, __ATOMIC_RELAXED);

	for (;; number++) {
		while (received + number >=
		       __atomic_load_n(&rc->received, __ATOMIC_RELAXED) + AHEAD)
			bench_pause();
		__atomic_store_n(&rc->begun, number + 1, __ATOMIC_RELAXED);
		if (mech_of(w)->loops->one_send(w, pattern_header(VICTIM, number)) < 0)
			_exit(1);
		__atomic_store_n(&rc->sent, number + 1, __ATOMIC_RELAXED);
	}
}

__attribute__((noreturn)) static void be_victim(struct worker *w, enum recover_kind kind,
						uint32_t round)
{
	struct recover *rc = &w->control->recover;

	if (mmap(NULL, VICTIM_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		_exit(1);
	if (kind == RECOVER_TAKEN && mech_of(w)->hold(w->link) < 0)
		_exit(1);
	__atomic_store_n(&rc->ready, round, __ATOMIC_RELEASE);
	if (kind == RECOVER_SERVED)
		stream(w, rc);
	for (;;)
		pause();
}

/* ---- the one who kills ---- */

/* Send a message of one's own that all count on. */
static int send_own(struct worker *w)
{
	uint64_t header = pattern_header(0, w->sent.count);
	int r;

	r = mech_of(w)->loops->one_send(w, header);
	if (r < 0)
		return r;
	w->sent.count++;
	w->sent.sum += pattern_sum(&w->shape, header);
	return 0;
}

static int send_marks(struct worker *w)
{
	int r = 0;

	for (uint32_t i = 0; i < w->control->task.consumers && r == 0; i++)
		r = send_own(w);
	return r;
}

/* Fork, and wait until it is where it shall be. Returns its pid or a negative errno. */
static int start_victim(struct worker *w, enum recover_kind kind, uint32_t round)
{
	struct recover *rc = &w->control->recover;
	pid_t parent = getpid(), pid;
	int r = 0;

	rc->held = UINT64_MAX;
	rc->begun = rc->sent = 0;
	if (kind == RECOVER_TAKEN) {
		rc->held = pattern_header(0, w->sent.count);
		r = send_own(w);
	}
	pid = r == 0 ? fork() : 0;
	if (pid < 0)
		return -errno;
	if (r == 0 && pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		be_victim(w, kind, round);
	}
	if (r == 0)
		r = await(&rc->ready, round);
	return r < 0 ? r : pid;
}

/* What is known of the messages of a victim that is dead. */
static void bury(struct recover *rc, pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	rc->certain += rc->sent;
	rc->uncertain += rc->begun - rc->sent;
}

static int64_t random_life(struct worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return LIFE_MIN_NS + (int64_t)(w->seed % LIFE_MORE_NS);
}

static void note(struct worker *w, enum recover_kind kind, int64_t ns)
{
	struct recover *rc = &w->control->recover;

	hist_record(w->hist, ns);
	if (rc->count[kind] < RECOVER_ROUNDS)
		rc->ns[kind][rc->count[kind]++] = ns;
}

/* From the kill on. The marks are sent when the survivors may leave the round. */
static int repair(struct worker *w, enum recover_kind kind, uint32_t round, pid_t victim)
{
	struct recover *rc = &w->control->recover;
	int64_t begin = bench_now();
	int r = 0;

	kill(victim, SIGKILL);
	if (kind == RECOVER_TAKEN) {
		bury(rc, victim);
		r = await(&rc->handed, round);
	}
	if (r == 0)
		r = send_marks(w);
	if (r == 0)
		r = await(&rc->served, w->control->task.consumers);
	if (kind == RECOVER_SERVED)
		bury(rc, victim);
	if (r == 0)
		note(w, kind, (kind == RECOVER_TAKEN ? rc->handed_ns : rc->served_ns) - begin);
	return r;
}

/* Let the survivors receive. */
static void open_round(struct recover *rc, uint32_t round)
{
	rc->served = 0;
	rc->served_ns = 0;
	__atomic_store_n(&rc->round, round, __ATOMIC_RELEASE);
}

int recover_kill(struct worker *w)
{
	struct recover *rc = &w->control->recover;
	const struct loops *loops = mech_of(w)->loops;
	uint32_t round = 0;
	int victim, r = 0;

	w->seed |= 1;
	while (r == 0 && round < RECOVER_ROUNDS && worker_goes_on(w, round)) {
		enum recover_kind kind = (enum recover_kind)(round++ % RECOVER_KINDS);

		victim = start_victim(w, kind, round);
		if (victim < 0)
			return victim;
		open_round(rc, round);
		bench_sleep(random_life(w));
		r = repair(w, kind, round, victim);
	}
	w->done = round;
	w->end = bench_now();
	open_round(rc, round + 1);
	for (uint32_t i = 0; i < w->control->task.consumers && r == 0; i++)
		r = loops->one_send(w, WORKER_END);
	return r;
}

/* ---- the survivors ---- */

/* A message of a victim. */
static void take_stream(struct worker *w, uint64_t header, uint64_t sum)
{
	if (pattern_producer(header) != VICTIM || sum != pattern_sum(&w->shape, header))
		w->check->corrupted++;
	__atomic_add_fetch(&w->control->recover.received, 1, __ATOMIC_RELAXED);
}

static void take_mark(struct recover *rc, int64_t now)
{
	int64_t last = __atomic_load_n(&rc->served_ns, __ATOMIC_RELAXED);

	while (last < now && !__atomic_compare_exchange_n(&rc->served_ns, &last, now, false,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	__atomic_add_fetch(&rc->served, 1, __ATOMIC_RELEASE);
}

/* Receive until there is a mark. Returns 1 at the end. */
static int one_round(struct worker *w, uint32_t round)
{
	struct recover *rc = &w->control->recover;
	uint64_t header, sum;
	int64_t now;
	int r;

	for (;;) {
		r = mech_of(w)->loops->one_recv(w, &header, &sum);
		now = bench_now();
		if (r < 0 || header == WORKER_END)
			return r < 0 ? r : 1;
		if (pattern_producer(header) != 0) {
			take_stream(w, header, sum);
			continue;
		}
		pattern_check_later(w->check, &w->shape, header, sum);
		if (header != rc->held)
			break;
		rc->handed_ns = now;
		__atomic_store_n(&rc->handed, round, __ATOMIC_RELEASE);
	}
	take_mark(rc, now);
	return 0;
}

int recover_survive(struct worker *w)
{
	struct recover *rc = &w->control->recover;
	int r = 0;

	for (uint32_t round = 1; r == 0; round++) {
		r = await(&rc->round, round);
		if (r == 0)
			r = one_round(w, round);
	}
	return r < 0 ? r : 0;
}

/* ---- afterwards ---- */

void recover_judge(struct control *control)
{
	const struct recover *rc = &control->recover;

	if (control->task.workload != WORKLOAD_RECOVER)
		return;
	if (rc->received < rc->certain)
		control->integrity.lost += rc->certain - rc->received;
	if (rc->received > rc->certain + rc->uncertain)
		control->integrity.duplicated += rc->received - rc->certain - rc->uncertain;
}
