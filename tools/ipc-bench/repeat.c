/* SPDX-License-Identifier: MIT */
/*
 * The repeat process: makes the object, forks the workers from there, sleeps until they are gone,
 * and judges what arrived. It is killed with the controller, and its workers with it.
 */
#include "repeat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define PROBE_NS BENCH_NS /* long enough for a ring of some GiB */
#define SYSCOUNT_NS	(3 * BENCH_NS)
#define SPARE		16	/* descriptors besides those of the objects */

static struct control *control;

/* Workers go with us (PR_SET_PDEATHSIG); what has a name must go before. */
static void on_signal(int signal)
{
	control_sweep(control);
	_exit(128 + signal);
}

static void say(enum repeat_status status, const char *why)
{
	snprintf(control->why, MECH_WHY, "%s", why);
	control->status = status;
}

static void *message_of(size_t size)
{
	char *p = aligned_alloc(MECH_ROOM, (size + 2 * MECH_ROOM) / MECH_ROOM * MECH_ROOM);

	if (!p)
		return NULL;
	memset(p, 1, MECH_ROOM + size);
	return p + MECH_ROOM;
}

/* Send without waiting until it would have to wait. Returns the last answer. */
static int fill(const struct mech *mech, struct link *link, uint64_t *ret_count)
{
	void *message = message_of(link->setup.size);
	int64_t deadline = bench_now() + PROBE_NS;
	int r = message ? 0 : -ENOMEM;

	for (*ret_count = 0; r == 0; *ret_count += r == 0) {
		r = mech->try_send(link, message);
		if (*ret_count % 1024 == 1023 && bench_now() > deadline)
			break;
	}
	if (message)
		free((char *)message - MECH_ROOM);
	return r;
}

/* Find out how many messages fit. Returns 0, or an error when the mechanism cannot carry such a
 * message at all. */
static int probe(const struct mech *mech, struct link *link)
{
	uint64_t count = 0;
	int r;

	r = mech_create(mech, link, control->why);
	if (r < 0)
		return r;
	for (int side = 0; side < 2 && mech->open; side++) {
		r = mech->open(link, side);
		if (r < 0)
			return mech_fail(control->why, "cannot open a side", r);
	}
	r = fill(mech, link, &count);
	control->capacity_msgs = count;
	control->capacity_known = r == -EAGAIN;
	mech_close(mech, link, 0);
	mech_close(mech, link, 1);
	mech_remove(mech, link);
	/* Others carry it in parts. */
	if (count > 0 || (r == -EAGAIN && (mech->capabilities & MECH_ANY_SIZE)))
		return 0;
	if (r == -EAGAIN)
		r = -EMSGSIZE;
	return mech_fail(control->why, "a message of this size", r);
}

/* The same in a process of its own, so that the measured object is the first of its process. */
static int probe_apart(const struct mech *mech, struct link *link)
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return mech_fail(control->why, "fork", errno);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(probe(mech, link) < 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0)
		return 0;
	if (!control->why[0])
		snprintf(control->why, MECH_WHY, "crashed while it was filled");
	return -EIO;
}

static void init_link(struct link *link)
{
	link->setup = control->task.setup;
	link->leftovers = &control->leftovers[0];
	link->socket[0] = link->socket[1] = -1;
	link->worker = -1;
}

static unsigned int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

/* The objects behind the first, which took @each descriptors. */
static int make_further(const struct mech *mech, struct link *link, unsigned int before)
{
	unsigned int now = count_descriptors(), each = now - before;
	uint32_t objects = control->task.setup.objects;
	struct rlimit limit = { .rlim_cur = 0 };
	int r = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (now + (uint64_t)(objects - 1) * each + SPARE > limit.rlim_cur) {
		snprintf(control->why, MECH_WHY,
			 "%u objects of %u descriptors and %u more; RLIMIT_NOFILE is %llu", objects,
			 each, before + SPARE, (unsigned long long)limit.rlim_cur);
		return -EMFILE;
	}
	for (uint32_t i = 1; i < objects && r == 0; i++) {
		init_link(&link[i]);
		link[i].setup.further = true;
		r = mech_create(mech, &link[i], control->why);
	}
	return r;
}

/* As many descriptors as may be had. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (control->task.setup.objects == 1 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int make_objects(const struct mech *mech, struct link *link)
{
	unsigned int before;
	int r = 0;

	raise_limit();
	init_link(link);
	if (control->task.probe && mech->try_send)
		r = probe_apart(mech, link);
	before = count_descriptors();
	if (r == 0)
		r = mech_create(mech, link, control->why);
	if (r == 0 && control->task.setup.objects > 1)
		r = make_further(mech, link, before);
	return r;
}

static int make(const struct mech *mech, struct link *link)
{
	int r = make_objects(mech, link);

	if (r < 0)
		return r;
	control->capacity_bytes = link->capacity_bytes;
	control->memory_bytes = link->memory_bytes;
	if (link->capacity_msgs) {
		control->capacity_msgs = link->capacity_msgs;
		control->capacity_known = true;
	}
	if (records_create(&control->task) < 0)
		return mech_fail(control->why, "records", ENOMEM);
	if (control->task.workload == WORKLOAD_PUMP)
		return pump_create(control, control->why);
	if (control->task.workload != WORKLOAD_ATTACH)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link->socket) < 0)
		return mech_fail(control->why, "socketpair", errno);
	return 0;
}

/* Close what a worker has no use for: the other side, and of its own what belongs to others. */
static void close_others(const struct mech *mech, struct link *link, unsigned int index)
{
	const struct task *task = &control->task;
	unsigned int side = task_side(task, index);

	for (uint32_t i = 0; i < task->setup.objects; i++) {
		mech_close(mech, &link[i], (int)!side);
		if (task->workload == WORKLOAD_FANOUT && side && i != task_object(task, index))
			mech_close(mech, &link[i], 1);
	}
	if (task->workload == WORKLOAD_PUMP && index > task->producers)
		mech_close(mech, link, 1);
}

static pid_t start_worker(const struct mech *mech, struct link *link, unsigned int index)
{
	unsigned int other = !task_side(&control->task, index);
	pid_t pid = fork();

	if (pid == 0) {
		link->worker = (int)index;
		close_others(mech, link, index);
		if (link->socket[other] >= 0)
			close(link->socket[other]);
		worker_run(control, link, index);
	}
	return pid;
}

static void kill_workers(const pid_t pids[WORKERS_MAX])
{
	for (unsigned int i = 0; i < task_workers(&control->task); i++)
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
}

static void explain(unsigned int index, int status)
{
	const char *who = task_who(&control->task, index);
	const char *error = control->worker[index].error;
	char why[MECH_WHY];

	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "%s killed by signal %d (%s)", who, WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (error[0])
		snprintf(why, sizeof(why), "%.*s", MECH_WHY - 1, error);
	else
		snprintf(why, sizeof(why), "%s ended with %d", who, WEXITSTATUS(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_LACKS)
		say(REPEAT_SKIPPED, why);
	else
		say(REPEAT_FAILED, why);
}

/* Which worker a process is; as many as there are: none. */
static unsigned int index_of(pid_t pid, const pid_t pids[WORKERS_MAX])
{
	unsigned int i;

	for (i = 0; i < task_workers(&control->task); i++)
		if (pids[i] == pid)
			break;
	return i;
}

/* Wait for all workers; the first that fails is explained, the others are killed. */
static bool reap(const pid_t pids[WORKERS_MAX])
{
	unsigned int workers = task_workers(&control->task), index;
	bool good = true;

	for (unsigned int left = workers; left > 0; left--) {
		int status = 0;
		pid_t pid = waitpid(-1, &status, 0);

		index = index_of(pid, pids);
		if ((pid < 0 && errno == EINTR) || (pid > 0 && index == workers)) {
			left++;	/* a helper says through its worker what became of it */
			continue;
		}
		if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			continue;
		/* One that we did not kill tells more than one that lost its peer. */
		if (good || (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL))
			explain(index, status);
		good = false;
		kill_workers(pids);
	}
	return good;
}

/* The counting pass, seen from outside. Sleeps until the workers are about to begin it, or dead. */
static void count_syscalls(const struct link *link, const pid_t workers[WORKERS_MAX], int notified)
{
	unsigned int all = task_workers(&control->task);
	pid_t pids[WORKERS_MAX];
	struct syscount *count = NULL;
	const char *reason;
	char byte;
	int r;

	if (read(notified, &byte, 1) != 1)
		return;
	for (unsigned int i = 0; i < all; i++)
		pids[i] = link->helper[i] ? link->helper[i] : workers[i];
	r = syscount_open(&count, pids, all, SYSCOUNT_ANY);
	if (r == 0)
		r = syscount_run(count, &control->gate, all, SYSCOUNT_NS);
	if (r == 0) {
		control->syscalls = syscount_total(count);
		control->syscalls_of[0] = syscount_of(count, 0);
		control->syscalls_of[1] = syscount_of(count, control->task.producers);
		snprintf(control->syscalls_source, SOURCE_BYTES, "%s", syscount_source(count));
	}
	reason = count ? syscount_reason(count) : NULL;
	if (r < 0)
		snprintf(control->syscalls_reason, MECH_WHY, "%s", reason ? reason : strerror(-r));
	syscount_close(count);
}

/* Each side has a number of its own among the producers of the other. */
static void judge_rtt(const struct pattern_check *const reader[2])
{
	struct pattern_sent there[2] = { control->worker[0].sent, { 0, 0 } };
	struct pattern_sent back[2] = { { 0, 0 }, control->worker[1].sent };
	struct pattern_result answers;

	pattern_verdict(&reader[1], 1, there, 2, &control->integrity);
	pattern_verdict(&reader[0], 1, back, 2, &answers);
	pattern_result_add(&control->integrity, &answers);
}

static void judge(void)
{
	const struct task *task = &control->task;
	const struct pattern_check *reader[WORKERS_MAX];
	struct pattern_sent sent[WORKERS_MAX] = { { 0, 0 } };
	unsigned int producers = task->producers;
	/* The maker of objects receives. */
	unsigned int first = task->workload == WORKLOAD_ATTACH ? 0 : producers;
	unsigned int last = task->workload == WORKLOAD_ATTACH ? 1 : task_workers(task);
	const struct pattern_sent *all = sent;

	for (unsigned int i = 0; i < task_workers(task); i++)
		reader[i] = records_check(i);
	for (unsigned int i = 0; i < producers; i++)
		sent[i] = control->worker[i].sent;
	if (task->workload == WORKLOAD_RTT) {
		judge_rtt(reader);
		return;
	}
	if (task_shares(task)) {
		(task->workload == WORKLOAD_LOCK ? lock_judge : value_judge)(control);
		return;
	}
	if (task->workload == WORKLOAD_FANOUT) {
		fanout_judge(control);
		return;
	}
	if (task->workload == WORKLOAD_WAITMANY) {
		all = records_sent();
		producers = task->setup.objects;
	}
	if (task->workload == WORKLOAD_PUMP)	/* the pump itself reads none */
		first = last - 1;
	pattern_verdict(&reader[first], last - first, all, producers, &control->integrity);
	recover_judge(control);
}

static void start_workers(const struct mech *mech, struct link *link, pid_t pids[WORKERS_MAX])
{
	for (unsigned int i = 0; i < task_workers(&control->task); i++) {
		pids[i] = start_worker(mech, link, i);
		if (pids[i] < 0) {
			kill_workers(pids);
			say(REPEAT_FAILED, "fork failed");
			exit(1);
		}
	}
	for (uint32_t i = 0; i < control->task.setup.objects; i++) {
		mech_close(mech, &link[i], 0);
		mech_close(mech, &link[i], 1);
	}
	for (int side = 0; side < 2; side++) {
		if (link->socket[side] >= 0)
			close(link->socket[side]);
		if (control->task.workload == WORKLOAD_PUMP && control->pump.socket[side] >= 0)
			close(control->pump.socket[side]);
	}
}

static void supervise(const struct mech *mech, struct link *link)
{
	pid_t pids[WORKERS_MAX] = { 0 };
	int notify[2];

	if (pipe2(notify, O_CLOEXEC) < 0) {
		say(REPEAT_FAILED, "no descriptors left");
		return;
	}
	control->notify = notify[1];
	control->repeat_pid = getpid();
	noise_begin(&control->noise);
	start_workers(mech, link, pids);
	close(notify[1]);
	if (control->task.count)
		count_syscalls(link, pids, notify[0]);
	if (!reap(pids))
		return;
	noise_end(&control->noise);
	for (unsigned int i = 0; i < task_workers(&control->task); i++)
		noise_add(&control->noise, &control->worker[i].noise);
	records_merge(control);
	judge();
	say(REPEAT_OK, "");
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t none;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int repeat_main(const char *fd)
{
	const struct mech *mech;
	struct link *link;

	control = control_attach(atoi(fd));
	if (!control || control->task.mechanism >= mech_count_all)
		return 2;
	catch_signals();
	prctl(PR_SET_NAME, "ipc-bench");
	mech = mechs[control->task.mechanism];
	control->engine = control->task.setup.engine;
	link = calloc(control->task.setup.objects, sizeof(*link));
	if (!link)
		return 2;
	if (make(mech, link) < 0) {
		control->status = REPEAT_SKIPPED;
		return 0;
	}
	supervise(mech, link);
	for (uint32_t i = 0; i < control->task.setup.objects; i++)
		mech_remove(mech, &link[i]);
	return 0;
}
