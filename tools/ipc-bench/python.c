/* SPDX-License-Identifier: MIT */
/*
 * The worker's side of python-peers.py. Both structs below are also there, field by field.
 *
 * The processes are started by create(), in the repeat process, whose death kills the first one,
 * and the first one's death the others. Worker i pins process i as itself and gives it one loop at
 * a time. Between command and answer the worker sleeps, so what the two cost is what Python costs;
 * the time counts from when the Python process begins.
 */
#include "python.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "worker.h"

static const char program[] =
#include "python-peers.inc"
	;

/* The names of enum fault and enum pattern_touch there. */
static const char *const fault_names[] = { "none",    "loss",  "duplicate", "reorder",
					   "corrupt", "stall", "crash" };

enum loop {
	LOOP_STREAM_SEND,
	LOOP_STREAM_RECV,
	LOOP_RTT_PING,
	LOOP_RTT_PONG,
	LOOP_ONEWAY_SEND,
	LOOP_ONEWAY_RECV,
	LOOP_ATTEMPT,	/* send one message without waiting */
	LOOP_MPMC_SEND,
	LOOP_MPMC_RECV,
	LOOP_LOCK,
	LOOP_VALUE_INCREMENT,
	LOOP_VALUE_READ,
	LOOP_VALUE_WRITE,
};

#define FLAG_CLOCKED	1
#define FLAG_POISSON	2

struct command {
	int64_t loop;
	int64_t limit;
	int64_t expected;	/* -1: until the end marker */
	int64_t duration_ns;	/* 0: by number */
	int64_t start;
	double interval_ns;
	int64_t flags;
	uint64_t seed;
	int64_t hold_ns;
	int64_t think_ns;
};

struct answer {
	int64_t status;		/* 0 or a negative errno */
	int64_t begin;
	int64_t end;
	int64_t done;
	int64_t sent;
	int64_t late;
	int64_t events;
	int64_t latencies;
	int64_t text;		/* bytes: what was raised */
	int64_t cpu_ns;
	int64_t ctx_voluntary;
	int64_t ctx_involuntary;
	int64_t faults_minor;
	int64_t faults_major;
	int64_t counter;	/* lock, value: what it was at the end */
	int64_t torn;		/* value: as in value.h */
	int64_t back;
};

/* Messages that were as expected, or, with count 0, one that was not. */
struct event {
	uint64_t header;
	uint64_t count;
	uint64_t sum;
};

struct hello {
	int64_t pid;
	int64_t capacity;	/* 0: without limit */
	int64_t memory;
};

static int read_all(int fd, void *data, size_t size)
{
	char *bytes = data;
	ssize_t n;

	while (size > 0) {
		n = read(fd, bytes, size);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* The exception's text instead of the errno's. */
static int failed(struct worker *w, const struct answer *answer)
{
	char *error = w->control->worker[w->index].error;
	char text[MECH_WHY] = "";

	if (answer->text > 0 && answer->text < MECH_WHY)
		read_all(w->port.in, text, (size_t)answer->text);
	snprintf(error, MECH_WHY, "%s: python: %.150s", w->side == 0 ? "producer" : "consumer",
		 text);
	return answer->status < 0 ? (int)answer->status : -EIO;
}

/* What was received, as pattern_check_add() would have seen it. */
static int take_events(struct worker *w, int64_t count)
{
	struct event event;
	int r = 0;

	for (int64_t i = 0; i < count && r == 0; i++) {
		r = read_all(w->port.in, &event, sizeof(event));
		if (r == 0 && event.count == 0)
			pattern_check_add(w->check, &w->shape, event.header, event.sum);
		for (uint64_t k = 0; r == 0 && k < event.count; k++)
			pattern_check_add(w->check, &w->shape, event.header + k,
					  pattern_sum(&w->shape, event.header + k));
	}
	return r;
}

static int take_latencies(struct worker *w, int64_t count)
{
	int64_t ns[512];
	int64_t part;
	int r = 0;

	for (; count > 0 && r == 0; count -= part) {
		part = count < 512 ? count : 512;
		r = read_all(w->port.in, ns, (size_t)part * sizeof(ns[0]));
		for (int64_t i = 0; r == 0 && i < part; i++)
			hist_record(w->hist, ns[i]);
	}
	return r;
}

static void take_sent(struct worker *w, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		w->sent.sum += pattern_sum(&w->shape, pattern_header(w->index, w->sent.count++));
}

/* The last process to say what the counter is knows the whole number. */
static void take_shared(struct worker *w, const struct answer *answer)
{
	uint64_t *counter = &w->control->lock.counter, count = (uint64_t)answer->counter;
	uint64_t before = 0;

	while (before < count && !__atomic_compare_exchange_n(counter, &before, count, false,
							      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	if (answer->torn + answer->back == 0)
		return;
	w->control->value.torn += (uint64_t)answer->torn;
	w->control->value.back += (uint64_t)answer->back;
}

static int take_answer(struct worker *w)
{
	struct answer answer;
	int r;

	r = read_all(w->port.in, &answer, sizeof(answer));
	if (r < 0)
		return r;
	if (answer.status < 0)
		return failed(w, &answer);
	w->began = answer.begin;
	w->end = answer.end;
	w->done = (uint64_t)answer.done;
	w->late = (uint64_t)answer.late;
	w->helper_cost = (struct cost){
		.cpu_ns = answer.cpu_ns,
		.ctx_voluntary = answer.ctx_voluntary,
		.ctx_involuntary = answer.ctx_involuntary,
		.faults_minor = answer.faults_minor,
		.faults_major = answer.faults_major,
	};
	take_sent(w, answer.sent);
	take_shared(w, &answer);
	r = take_events(w, answer.events);
	return r < 0 ? r : take_latencies(w, answer.latencies);
}

static int perform(struct worker *w, enum loop loop)
{
	struct command command = {
		.loop = loop,
		.limit = w->limit > INT64_MAX ? INT64_MAX : (int64_t)w->limit,
		.expected = w->expected > INT64_MAX ? -1 : (int64_t)w->expected,
		.duration_ns = w->duration_ns,
		.start = w->start,
		.interval_ns = w->interval_ns,
		.flags = (w->clocked ? FLAG_CLOCKED : 0) | (w->poisson ? FLAG_POISSON : 0),
		.seed = w->seed,
		.hold_ns = w->control->task.hold_ns,
		.think_ns = w->control->task.think_ns,
	};

	if (write(w->port.out, &command, sizeof(command)) != sizeof(command))
		return -errno;
	return take_answer(w);
}

static int stream_send(struct worker *w)
{
	return perform(w, LOOP_STREAM_SEND);
}

static int stream_recv(struct worker *w)
{
	return perform(w, LOOP_STREAM_RECV);
}

static int rtt_ping(struct worker *w)
{
	return perform(w, LOOP_RTT_PING);
}

static int rtt_pong(struct worker *w)
{
	return perform(w, LOOP_RTT_PONG);
}

static int oneway_send(struct worker *w)
{
	return perform(w, LOOP_ONEWAY_SEND);
}

static int oneway_recv(struct worker *w)
{
	return perform(w, LOOP_ONEWAY_RECV);
}

static int mpmc_send(struct worker *w)
{
	return perform(w, LOOP_MPMC_SEND);
}

static int mpmc_recv(struct worker *w)
{
	return perform(w, LOOP_MPMC_RECV);
}

static int lock_run(struct worker *w)
{
	return perform(w, LOOP_LOCK);
}

static int value_increment(struct worker *w)
{
	return perform(w, LOOP_VALUE_INCREMENT);
}

static int value_read(struct worker *w)
{
	return perform(w, LOOP_VALUE_READ);
}

static int value_write(struct worker *w)
{
	return perform(w, LOOP_VALUE_WRITE);
}

const struct loops python_lock_loops = { .lock = lock_run };

const struct loops python_value_loops = {
	.value = {
		[VALUE_INCREMENT] = value_increment,
		[VALUE_READ] = value_read,
		[VALUE_READ_WRITE] = value_read,
	},
	.value_write = value_write,
};

const struct loops python_loops = {
	.stream_send = stream_send,
	.stream_recv = stream_recv,
	.rtt_ping = rtt_ping,
	.rtt_pong = rtt_pong,
	.oneway_send = oneway_send,
	.oneway_recv = oneway_recv,
	.mpmc_send = mpmc_send,
	.mpmc_recv = mpmc_recv,
};

/* The system's own; others may be wrappers that take long to start. */
static const char *interpreter(void)
{
	static const char system[] = "/usr/bin/python3";

	return access(system, X_OK) == 0 ? system : "python3";
}

/* The last line that python prints, which is what is wrong; empty when nothing is. */
static void ask_python(char line[MECH_WHY])
{
	char command[200], text[MECH_WHY];
	FILE *python;
	int status;

	snprintf(command, sizeof(command),
		 "%s -I -S -c 'import multiprocessing.queues, multiprocessing.sharedctypes, mmap,"
		 " resource' 2>&1",
		 interpreter());
	python = popen(command, "re");
	line[0] = '\0';
	while (python && fgets(text, sizeof(text), python))
		snprintf(line, MECH_WHY, "%.*s", (int)strcspn(text, "\n"), text);
	status = python ? pclose(python) : -1;
	if (status == 0)
		line[0] = '\0';
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		snprintf(line, MECH_WHY, "no python3 in the PATH");
	else if (!line[0])
		snprintf(line, MECH_WHY, "python3 does not work");
}

bool python_available(char why[MECH_WHY])
{
	static char answer[MECH_WHY];
	static bool asked;

	if (!asked)
		ask_python(answer);
	asked = true;
	snprintf(why, MECH_WHY, "%s", answer);
	return !answer[0];
}

bool python_can(const struct setup *setup, char why[MECH_WHY])
{
	if (setup->wait == WAIT_SPIN || setup->wait == WAIT_ADAPTIVE)
		snprintf(why, MECH_WHY, "multiprocessing cannot send without waiting");
	else if (setup->capacity)
		snprintf(why, MECH_WHY, "multiprocessing has no option for it");
	else
		return true;
	return false;
}

/* Of the workers, each to its process. */
static int sockets[WORKERS_MAX];

static unsigned int workers_of(const struct link *link)
{
	return link->setup.workers[0] + link->setup.workers[1];
}

/* In the child: become the first Python process, which has the other @ends of the sockets. */
__attribute__((noreturn)) static void become(const char *mechanism, const struct link *link,
					     const int ends[WORKERS_MAX], pid_t parent)
{
	const struct setup *setup = &link->setup;
	char size[24], producers[16], fd[WORKERS_MAX][16];
	const char *arguments[11 + WORKERS_MAX] = { "python3", "-I",	  "-S", "-c",
						    program,   mechanism, size };
	size_t n = 7;

	snprintf(size, sizeof(size), "%zu", setup->size);
	snprintf(producers, sizeof(producers), "%u", setup->many ? setup->workers[0] : 0);
	arguments[n++] = pattern_touch_name((enum pattern_touch)setup->touch);
	arguments[n++] = fault_names[setup->fault];
	arguments[n++] = producers;
	for (unsigned int i = 0; i < workers_of(link); i++) {
		fcntl(ends[i], F_SETFD, 0);
		snprintf(fd[i], sizeof(fd[i]), "%d", ends[i]);
		arguments[n++] = fd[i];
	}
	signal(SIGINT, SIG_IGN);	/* or it would print a traceback */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execvp(interpreter(), (char *const *)arguments);
	_exit(127);
}

/* A pair for each worker; the ends for the other processes in @ends. */
static int make_sockets(const struct link *link, int ends[WORKERS_MAX])
{
	int pair[2];

	for (unsigned int i = 0; i < workers_of(link); i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		sockets[i] = pair[0];
		ends[i] = pair[1];
	}
	return 0;
}

static int take_hello(struct link *link, unsigned int worker)
{
	struct hello hello;
	int r;

	r = read_all(sockets[worker], &hello, sizeof(hello));
	if (r < 0)
		return r;
	link->helper[worker] = (pid_t)hello.pid;
	link->capacity_bytes = (uint64_t)hello.capacity;
	link->memory_bytes = (uint64_t)hello.memory;
	return 0;
}

int python_create(struct link *link, const char *mechanism, char why[MECH_WHY])
{
	unsigned int workers = workers_of(link);
	pid_t parent = getpid(), pid;
	int ends[WORKERS_MAX], r;

	r = make_sockets(link, ends);
	if (r < 0)
		return mech_fail(why, "socketpair", r);
	pid = fork();
	if (pid == 0)
		become(mechanism, link, ends, parent);
	for (unsigned int i = 0; i < workers; i++)
		close(ends[i]);
	link->helper[0] = pid;
	for (unsigned int i = 0; i < workers && r == 0; i++)
		r = take_hello(link, i);
	/* What it takes to see how much fits. */
	link->port[0].in = link->port[0].out = sockets[0];
	if (r < 0)
		python_remove(link);
	return r < 0 ? mech_fail(why, "python3 did not start", r) : 0;
}

int python_open(struct link *link, int side)
{
	unsigned int first = side == 0 ? 0 : link->setup.workers[0];
	unsigned int last = first + link->setup.workers[side];

	if (link->worker < 0)
		return 0;
	for (unsigned int i = first; i < last; i++)
		if (i != (unsigned int)link->worker)
			close(sockets[i]);
	link->port[side].in = link->port[side].out = sockets[link->worker];
	return 0;
}

void python_close(struct link *link, int side)
{
	unsigned int first = side == 0 ? 0 : link->setup.workers[0];
	unsigned int last = first + link->setup.workers[side];

	for (unsigned int i = first; i < last; i++)
		close(sockets[i]);
}

int python_try(struct link *link, const void *message)
{
	struct command command = { .loop = LOOP_ATTEMPT };
	struct port *port = &link->port[0];
	struct answer answer;
	char text[MECH_WHY];
	int r;

	(void)message;
	if (write(port->out, &command, sizeof(command)) != sizeof(command))
		return -errno;
	r = read_all(port->in, &answer, sizeof(answer));
	if (r < 0 || answer.status == 0)
		return r;
	if (answer.text > 0 && answer.text < MECH_WHY)
		read_all(port->in, text, (size_t)answer.text);
	return (int)answer.status;
}

/* The others are children of the first, which does not wait for them: their numbers are still their
 * own. */
void python_remove(struct link *link)
{
	for (unsigned int i = 1; i < workers_of(link); i++)
		if (link->helper[i] > 0)
			kill(link->helper[i], SIGKILL);
	if (link->helper[0] > 0) {
		kill(link->helper[0], SIGKILL);
		while (waitpid(link->helper[0], NULL, 0) < 0 && errno == EINTR)
			;
	}
	memset(link->helper, 0, sizeof(link->helper));
}
