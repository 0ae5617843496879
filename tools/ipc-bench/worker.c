/* SPDX-License-Identifier: MIT */
/*
 * What a worker does: pin itself, then one pass after the other, each between two barriers.
 *
 * A pass ends by a timer of the writing worker, whose signal handler sets a flag in private
 * memory: nobody has to wake up on a busy machine to end it, and the loop reads a line that stays
 * in its cache. The signal interrupts at most one system call, which is restarted or tried again.
 */
#include "worker.h"

#include <errno.h>
#include <linux/futex.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "crowd.h"
#include "waitmany.h"

#define BARRIER_PAUSES	200	/* then yield: the other side may need this CPU */
#define AGAIN		2	/* further measurements of the line */
#define ONEWAY_LEAD_NS	20000	/* from the barrier to the first slot */
#define COUNTED_NS	(BENCH_NS / 2)	/* the counting pass of mpmc takes no longer */

static struct worker self;

static void on_timer(int signal)
{
	(void)signal;
	__atomic_store_n(&self.stop, 1, __ATOMIC_RELAXED);
}

static void fail(struct control *c, const char *what, int error)
{
	char *text = c->worker[self.index].error;

	if (!text[0])	/* the loops may know better */
		snprintf(text, MECH_WHY, "%s: %s", what, strerror(-error));
	_exit(1);
}

/* What is needed is not to be had here: no fault of the mechanism. */
static void lack(struct control *c, const char *why)
{
	snprintf(c->worker[self.index].error, MECH_WHY, "%s", why);
	_exit(WORKER_LACKS);
}

/* Wait for all workers. */
static void barrier(struct control *c)
{
	uint32_t mine = __atomic_add_fetch(&c->arrived, 1, __ATOMIC_ACQ_REL);
	uint32_t workers = task_workers(&c->task);
	uint32_t all = (mine + workers - 1) / workers * workers;

	for (unsigned int i = 0; __atomic_load_n(&c->arrived, __ATOMIC_ACQUIRE) < all; i++) {
		if (i % BARRIER_PAUSES == BARRIER_PAUSES - 1)
			sched_yield();
		bench_pause();
	}
}

/* Start the pass everywhere; returns when, the same in each worker. */
static int64_t start_line(struct control *c, enum pass pass)
{
	int64_t *start = &c->worker[0].pass[pass].start;

	barrier(c);
	if (self.index == 0) {
		c->ending = (struct ending){ 0 };
		c->pump.promised = c->pump.finished = 0;
		c->value.over = 0;
		__atomic_store_n(start, bench_now(), __ATOMIC_RELAXED);
	}
	barrier(c);
	return __atomic_load_n(start, __ATOMIC_RELAXED);
}

static void *pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Messages begin on a cache line each; only before the first one there is room. */
static int buffers(struct worker *w)
{
	const struct task *task = &w->control->task;
	size_t out = task->workload == WORKLOAD_WAITMANY ? waitmany_slots(task) : w->port.batch;

	w->stride = (w->port.size + PATTERN_LINE - 1) / PATTERN_LINE * PATTERN_LINE;
	w->out = pages(w->stride * out + MECH_ROOM);
	w->in = pages(w->stride * w->port.batch + MECH_ROOM);
	if (!w->out || !w->in)
		return -ENOMEM;
	w->out += MECH_ROOM;
	w->in += MECH_ROOM;
	return 0;
}

/* Processes that do the work of a worker run where it would. */
static int pin_helper(pid_t helper)
{
	cpu_set_t cpus;

	if (helper == 0)
		return 0;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ||
	    sched_setaffinity(helper, sizeof(cpus), &cpus) < 0)
		return -errno;
	return 0;
}

/* What cannot be made before the fork: side 0 first, which may be what side 1 looks for. */
static void open_side(struct control *c, struct link *link, int side)
{
	const struct mech *mech = mechs[c->task.mechanism];
	int r;

	if (!mech->open)
		return;
	for (int i = 0; i < 2; i++) {
		r = side == i ? mech->open(link, side) : 0;
		if (r < 0)
			fail(c, "cannot open its side", r);
		barrier(c);
	}
	self.port = link->port[side];
}

/* Whether another worker runs where this one does. */
static bool shares_cpu(const struct task *task, unsigned int index)
{
	for (unsigned int i = 0; i < task_workers(task); i++)
		if (i != index && task->cpu[i] == task->cpu[index])
			return true;
	return task->cpu[index] < 0;
}

/* What workloads with several objects, or with a descriptor behind them, need. */
static void open_crowd(struct control *c)
{
	const struct task *task = &c->task;
	const struct crowd_way *way = crowd_way(mechs[task->mechanism], task->setup.engine);
	char why[MECH_WHY] = "";
	int r = 0;

	self.way = way;
	self.yields = shares_cpu(task, self.index);
	if (task->workload == WORKLOAD_PUMP)
		r = pump_open(&self, why);
	else if (task_has_engine(task) && self.side == 0)
		r = way->out_open(&self, why);
	else if (task->workload == WORKLOAD_WAITMANY)
		r = way->in_open(&self, why);
	if (r < 0)
		lack(c, why);
}

static void prepare(struct control *c, struct link *link, unsigned int index)
{
	const struct task *task = &c->task;
	unsigned int side = task_side(task, index);
	unsigned int object = side ? task_object(task, index) : 0;
	int r;

	self = (struct worker){
		.link = link,
		.port = link[object].port[side],
		.side = side,
		.index = index,
		.check = records_check(index),
		.hist = records_hist(c, index),
		.issue = &c->fanout.issue,
		.stamps = records_stamps(),
		.control = c,
		.interval_ns = task->rate ? 1e9 / (double)task->rate : 0,
		.poisson = task->poisson,
		.seed = task->seed,
	};
	r = bench_pin(task->cpu[index]);
	if (r == 0)
		r = pin_helper(link->helper[index]);
	if (r < 0)
		fail(c, "cannot run on its CPU", r);
	r = pattern_shape_init(&self.shape, task->setup.size, task->touch);
	if (r == 0)
		r = buffers(&self);
	if (r < 0)
		fail(c, "no memory for messages", r);
	open_side(c, link, (int)side);
	open_crowd(c);
	if (task->workload == WORKLOAD_VALUE && index == 0) {
		r = value_prepare(&self);
		if (r < 0)
			fail(c, "cannot set the value", r);
	}
	noise_self_begin(&c->worker[index].noise); /* what it does only once, not in a pass */
}

static void arm(int64_t ns)
{
	struct itimerval timer = {
		.it_value.tv_sec = ns / BENCH_NS,
		.it_value.tv_usec = ns % BENCH_NS / 1000,
	};

	if (ns > 0 && timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0)
		timer.it_value.tv_usec = 1;
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The loop of this side. */
static int work(const struct task *task, const struct loops *loops)
{
	switch (task->workload) {
	case WORKLOAD_RTT:
		return self.side == 0 ? loops->rtt_ping(&self) : loops->rtt_pong(&self);
	case WORKLOAD_ATTACH:
		return self.side == 0 ? attach_make(&self) : attach_serve(&self);
	case WORKLOAD_ONEWAY:
		return self.side == 0 ? loops->oneway_send(&self) : loops->oneway_recv(&self);
	case WORKLOAD_RECOVER:
		return self.side == 0 ? recover_kill(&self) : recover_survive(&self);
	case WORKLOAD_MPMC:
		return self.side == 0 ? loops->mpmc_send(&self) : loops->mpmc_recv(&self);
	case WORKLOAD_FANOUT:
		return self.side == 0 ? fanout_send(&self) : fanout_recv(&self);
	case WORKLOAD_WAITMANY:
		return self.side == 0 ? waitmany_send(&self) : waitmany_recv(&self);
	case WORKLOAD_LOCK:
		return loops->lock(&self);
	case WORKLOAD_VALUE:
		return value_run(&self);
	case WORKLOAD_PUMP:
		return self.side == 0	 ? pump_feed(&self)
		       : self.index == 1 ? pump_move(&self)
					 : pump_drain(&self);
	default:
		return self.side == 0 ? loops->stream_send(&self) : loops->stream_recv(&self);
	}
}

/* What is measured around a pass, and where it goes. */
static int measured(struct control *c, enum pass pass)
{
	struct pass_result *result = &c->worker[self.index].pass[pass];
	struct cost before;
	int r;

	cost_now(&before);
	if (pass == PASS_COUNTED)
		syscount_enter(&c->gate);
	r = work(&c->task, mechs[c->task.mechanism]->loops);
	if (pass == PASS_COUNTED)
		syscount_leave(&c->gate);
	cost_since(&before, &result->cost);
	if (self.began)	/* the work was done elsewhere */
		result->cost = self.helper_cost;
	if (self.began && self.side == 0)
		result->start = self.began;
	if (self.busy_ns)	/* the rest of its time worker 0 looks at others */
		result->cost = (struct cost){ .cpu_ns = self.issued_ns };
	result->busy_ns = self.busy_ns;
	result->aside = self.aside;
	result->wakeups = self.wakeups;
	result->done = self.done;
	result->late = self.late;
	result->end = self.end;
	return r;
}

/* What one producer sends of all messages; of fanout, rounds. */
static uint64_t share(const struct task *task, uint64_t messages)
{
	if (task->workload == WORKLOAD_FANOUT)
		return (messages + task->consumers - 1) / task->consumers;
	return messages / task->producers + (self.index < messages % task->producers);
}

/* One pass of at most @limit messages and @ns nanoseconds; 0 is no limit. */
static void run_pass(struct control *c, enum pass pass, uint64_t limit, int64_t ns)
{
	struct noise_self *noise = &c->worker[self.index].noise;
	bool ends = self.side == 0 || task_watches(&c->task);
	int r;

	self.limit = limit ? share(&c->task, limit) : UINT64_MAX;
	/* An end marker would be counted too; but who gets how many of several is not known. */
	self.expected = pass == PASS_COUNTED && !c->task.setup.many ? self.limit : UINT64_MAX;
	self.stop = 0;
	self.aside = 0;
	self.warming = pass == PASS_WARMUP;
	self.start = start_line(c, pass);
	if (c->task.workload == WORKLOAD_ONEWAY)
		self.start += ONEWAY_LEAD_NS;
	if (pass == PASS_TIMED)
		noise_self_begin(noise);
	self.duration_ns = ends ? ns : 0;
	if (ends)
		arm(ns);
	r = measured(c, pass);
	if (pass == PASS_TIMED)
		noise_self_end(noise);
	if (pass == PASS_TIMED && self.began)
		noise->involuntary += self.helper_cost.ctx_involuntary;
	if (ends)
		arm(0);
	if (r < 0)
		fail(c, task_who(&c->task, self.index), r);
	if (c->task.workload == WORKLOAD_PUMP && self.index == 1) {
		r = pump_check(&self);
		if (r < 0)
			fail(c, "what was moved", r);
	}
	barrier(c);
}

/* Messages for the counting pass: two milliseconds' worth, which is enough for a mean and bearable
 * when each system call stops twice. */
static uint64_t counted_messages(const struct control *c)
{
	int64_t ns = control_ns(c, PASS_TIMED);
	/* The commands of a helper are counted, too: more of them. */
	double enough = self.began ? 40e6 : 2e6;
	double messages = ns > 0 ? enough * (double)control_done(c, PASS_TIMED) / (double)ns : 0;
	/* Twenty times what goes together. */
	double least = 20.0 * (c->task.workload == WORKLOAD_FANOUT ? c->task.consumers
								   : c->task.setup.active);

	return messages < least ? (uint64_t)least : messages > 50000 ? 50000 : (uint64_t)messages;
}

/* The histogram is for the pass that asked for it. */
static void clear_hist(struct control *c)
{
	barrier(c);
	if (self.index == 0 || self.hist != &c->hist)
		hist_reset(self.hist);
	if (self.index == 0)
		hist_reset(self.issue);
	barrier(c);
}

static void run_passes(struct control *c)
{
	const struct task *task = &c->task;

	if (task->warmup_ns && task_moves(task))
		run_pass(c, PASS_WARMUP, 0, task->warmup_ns);
	clear_hist(c);
	run_pass(c, PASS_TIMED, task->messages, task->messages ? 0 : task->duration_ns);
	if (!task_clocks(task))
		return;
	self.clocked = true;
	run_pass(c, PASS_CLOCKED, task->messages, task->messages ? 0 : task->duration_ns);
	self.clocked = false;
}

/* Whether this is the first worker on a CPU, and not on that of worker 0. */
static bool opens_cpu(const struct task *task, unsigned int worker)
{
	for (unsigned int i = 0; i < worker; i++)
		if (task->cpu[i] == task->cpu[worker])
			return false;
	return worker > 0;
}

/* Sleep until worker 0 knows, or be worker 0 and tell: who waits may be on the CPUs measured. */
static double agree(struct control *c, double worst)
{
	uint32_t taken = self.brackets++;

	if (self.index == 0) {
		c->bracket = worst;
		__atomic_store_n(&c->brackets, taken + 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &c->brackets, FUTEX_WAKE, WORKERS_MAX, NULL, NULL, 0);
	}
	while (__atomic_load_n(&c->brackets, __ATOMIC_ACQUIRE) == taken)
		syscall(SYS_futex, &c->brackets, FUTEX_WAIT, taken, NULL, NULL, 0);
	return c->bracket;
}

/* From the CPU of worker 0 to each other one, one after the other: the slowest. */
static double bracket(struct control *c)
{
	const struct task *task = &c->task;
	double worst = NAN;

	if (task_other_cpu(task) == task->cpu[0])
		return NAN;
	for (unsigned int i = 1; i < task_workers(task); i++)
		if (opens_cpu(task, i) && (self.index == 0 || self.index == i))
			worst = fmax(worst, floor_line_side(&c->line, self.index != 0));
	return agree(c, worst);
}

/*
 * Other tasks on these CPUs disturb a measurement of the line too, and then it is only slower:
 * before the CPUs are said to have moved, it is taken again. All workers see the same numbers.
 */
static double bracket_after(struct control *c, double before)
{
	int32_t here = c->task.cpu[0], there = task_other_cpu(&c->task);
	double after = bracket(c);

	for (int i = 0; i < AGAIN && after > before; i++) {
		if (!floor_unstable(before, after, here, there))
			break;
		after = fmin(after, bracket(c));
	}
	return after;
}

static void count(struct control *c)
{
	static struct hist unused;

	self.hist = self.issue = &unused;	/* times of this pass mean nothing */
	if (self.index == 0 && write(c->notify, "", 1) != 1)
		fail(c, "notify", -EPIPE);
	/* Several that spin may take a time slice for a message. */
	run_pass(c, PASS_COUNTED, counted_messages(c),
		 c->task.setup.many || task_shares(&c->task) ? COUNTED_NS : 0);
}

void worker_run(struct control *c, struct link *link, unsigned int index)
{
	struct worker_result *result = &c->worker[index];
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != c->repeat_pid)	/* it died before the line above */
		_exit(1);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGALRM, &action, NULL);
	prepare(c, link, index);
	result->bracket[0] = bracket(c);
	run_passes(c);
	result->bracket[1] = bracket_after(c, result->bracket[0]);
	if (c->task.count)
		count(c);
	result->sent = self.sent;
	_exit(0);
}
