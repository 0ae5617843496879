/* SPDX-License-Identifier: MIT */
/*
 * A server of a hundred clients with one place where it waits: a wait set with the listener, the
 * pipe of each client that has come, the queue of the results, the processes that it has started,
 * and a timer. It is one thread, and it never waits anywhere else.
 *
 * Clients ask for the square of a number. The server does not work itself: it puts jobs into one
 * queue for a worker, and gets results out of another. One job kills the worker; the server is
 * told, starts another one after a pause, and the clients do not notice.
 *
 * What happens to each thing is a function, and the cookie points to it: see struct watch.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define CLIENTS		100
#define PLACES		80		/* for so many at a time; the others wait */
#define QUESTIONS	10		/* of each client */
#define DEADLY		555		/* the worker dies of this one, the first time */
#define PAUSE		20000000	/* nanoseconds until a dead worker is replaced */

static int check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
	return result;
}

struct server;

/* Begins each thing that is waited for: its address is the cookie. */
struct watch {
	void (*ready)(struct server *server, struct watch *watch, const struct weir_event *event);
	uint64_t source;		/* its number in the set */
};

struct client {
	struct watch watch;
	struct weir_end *end;		/* NULL: this place is free */
};

/* Travels to the worker and back. The source says whose it is, also when the place is another's. */
struct job {
	uint64_t source;
	int place;
	int number;
	int64_t result;
};

struct server {
	struct weir_waitset *set;
	struct weir_listener *listener;
	struct weir_queue *jobs, *results;
	struct watch listening, results_ready, restart, worker, crowd;
	struct client clients[PLACES];
	pid_t worker_pid, crowd_pid;
	int served, killed;
	bool crowd_happy, done;
};

/*
 * Other processes: the clients, all started by one, and the worker
 */

static int client(const char *address, int first)
{
	int64_t deadline = weir_after(INT64_C(30000000000)), square;
	struct weir_end *end;
	int result = weir_connect(address, NULL, 0, deadline, &end);

	for (int i = first; result == 0 && i < first + QUESTIONS; i++) {
		result = weir_pipe_send(end, &i, sizeof(i), 0, deadline);
		if (result == 0)
			result = weir_pipe_recv(end, &square, sizeof(square), 0, deadline, NULL);
		if (result == 0 && square != (int64_t)i * i)
			result = -EBADMSG;
	}
	return result;
}

/* Returns 0 if all clients were content. */
static int crowd(const char *address)
{
	int status, unhappy = 0;

	for (int i = 0; i < CLIENTS; i++)
		if (fork() == 0)
			_exit(client(address, i * QUESTIONS) < 0);
	while (wait(&status) > 0)
		unhappy += status != 0;
	return unhappy > 0;
}

/* A job is ours from take to release. If we die in between, the next worker has it. */
static int work(struct weir_queue *jobs, struct weir_queue *results)
{
	struct weir_taken taken;
	struct job job;
	int result;

	while ((result = weir_queue_take(jobs, 0, WEIR_FOREVER, &taken)) == 0) {
		job = *(const struct job *)taken.data;
		if (job.number == DEADLY && taken.times == 0)
			raise(SIGKILL);
		job.result = (int64_t)job.number * job.number;
		check("put", weir_queue_put(results, &job, sizeof(job), 0, WEIR_FOREVER));
		check("release", weir_queue_release(jobs, &taken));
	}
	return result == -EPIPE ? 0 : 1;
}

/* A copy of an end that is open somewhere is no hang-up, so a child closes what is not its own. */
static void close_what_a_child_has(struct server *s)
{
	weir_waitset_close(s->set);
	weir_listener_close(s->listener);
	for (int i = 0; i < PLACES; i++)
		weir_pipe_close(s->clients[i].end);
}

static void start_worker(struct server *s)
{
	s->worker_pid = check("fork", fork());
	if (s->worker_pid == 0) {
		close_what_a_child_has(s);
		_exit(work(s->jobs, s->results));
	}
	check("add", weir_waitset_add_process(s->set, s->worker_pid, &s->worker,
					      &s->worker.source));
}

static void start_crowd(struct server *s, const char *address)
{
	s->crowd_pid = check("fork", fork());
	if (s->crowd_pid == 0) {
		close_what_a_child_has(s);
		_exit(crowd(address));
	}
	check("add", weir_waitset_add_process(s->set, s->crowd_pid, &s->crowd,
					      &s->crowd.source));
}

/*
 * Clients
 */

/* An object that is closed leaves the set by itself. Now there is room for another client. */
static void dismiss(struct server *s, struct client *c)
{
	weir_pipe_close(c->end);
	c->end = NULL;
	check("change", weir_waitset_change(s->set, s->listening.source, WEIR_IN));
}

/*
 * Receive until -EAGAIN, and never wait. It would do as well to receive one message: the set would
 * report what is left, and let the others have their turn in between.
 */
static void client_ready(struct server *s, struct watch *watch, const struct weir_event *event)
{
	struct client *c = (struct client *)watch;
	struct job job = { .source = event->source, .place = (int)(c - s->clients) };
	int result;

	/* It was dismissed by an event before this one, and perhaps another has its place. */
	if (!c->end || watch->source != event->source)
		return;
	while ((result = weir_pipe_recv(c->end, &job.number, sizeof(job.number), 0, 0, NULL)) == 0)
		check("put", weir_queue_put(s->jobs, &job, sizeof(job), 0, 0));
	if (result != -EAGAIN)
		dismiss(s, c);
}

/*
 * Take all that have come: as many as there is room for. When there is none, those who wait would
 * be reported each time, for nothing; so the listener is to be silent until somebody leaves.
 */
static void listener_ready(struct server *s, struct watch *watch, const struct weir_event *event)
{
	(void)watch;
	for (int i = 0; i < PLACES; i++) {
		struct client *c = &s->clients[i];

		if (c->end)
			continue;
		/* -EAGAIN: nobody is left. Those that are refused or give up do not show here. */
		if (weir_accept(s->listener, 0, 0, &c->end, NULL) < 0)
			return;
		c->watch.ready = client_ready;
		check("add", weir_waitset_add_pipe(s->set, c->end, WEIR_IN, &c->watch,
						   &c->watch.source));
	}
	check("change", weir_waitset_change(s->set, event->source, 0));
}

/* A client that does not read its answers only harms itself. */
static void results_ready(struct server *s, struct watch *watch, const struct weir_event *event)
{
	struct job job;
	int result;

	(void)watch, (void)event;
	while ((result = weir_queue_get(s->results, &job, sizeof(job), 0, 0, NULL)) == 0) {
		struct client *c = &s->clients[job.place];

		if (!c->end || c->watch.source != job.source)
			continue;
		if (weir_pipe_send(c->end, &job.result, sizeof(job.result), 0, 0) < 0)
			dismiss(s, c);
		else
			s->served++;
	}
	if (result != -EAGAIN)
		check("get", result);
}

/*
 * Processes and time
 */

/* It is not reaped by the set, and reported until it is removed. */
static void worker_ended(struct server *s, struct watch *watch, const struct weir_event *event)
{
	int status;

	waitpid(s->worker_pid, &status, 0);
	check("remove", weir_waitset_remove(s->set, event->source));
	if (WIFEXITED(status)) {
		s->done = true;
		return;
	}
	/* If each job killed it we would do nothing else, so there is a pause. */
	s->killed++;
	check("timer", weir_waitset_change_timer(s->set, s->restart.source, weir_after(PAUSE), 0));
	(void)watch;
}

static void time_to_restart(struct server *s, struct watch *watch, const struct weir_event *event)
{
	(void)watch, (void)event;
	start_worker(s);
}

/* All clients have gone home: so does the worker, when it has done all jobs. */
static void crowd_ended(struct server *s, struct watch *watch, const struct weir_event *event)
{
	int status;

	(void)watch;
	waitpid(s->crowd_pid, &status, 0);
	s->crowd_happy = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	check("remove", weir_waitset_remove(s->set, event->source));
	check("shutdown", weir_queue_shutdown(s->jobs, 0));
}

/*
 * The server
 */

/* A pipe has nine descriptors. */
static void allow_many_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void set_up(struct server *s, const char *address)
{
	struct weir_pipe_options pipe = { .size = sizeof(pipe), .capacity = 4096 };
	struct weir_listen_options options = { .size = sizeof(options), .pipe = &pipe,
					       .pending_per_uid = 64 };

	check("waitset", weir_waitset(&s->set, NULL));
	check("listen", weir_listen(&s->listener, address, &options));
	check("queue", weir_queue(&s->jobs, NULL));
	check("queue", weir_queue(&s->results, NULL));
	s->listening.ready = listener_ready;
	s->results_ready.ready = results_ready;
	s->restart.ready = time_to_restart;
	s->worker.ready = worker_ended;
	s->crowd.ready = crowd_ended;
	check("add", weir_waitset_add_listener(s->set, s->listener, &s->listening,
					       &s->listening.source));
	check("add", weir_waitset_add_queue(s->set, s->results, WEIR_IN, &s->results_ready, NULL));
	/* Not now: it is set when it is needed. */
	check("add", weir_waitset_add_timer(s->set, WEIR_FOREVER, 0, &s->restart,
					    &s->restart.source));
}

static void tear_down(struct server *s)
{
	for (int i = 0; i < PLACES; i++)
		weir_pipe_close(s->clients[i].end);
	weir_queue_close(s->jobs);
	weir_queue_close(s->results);
	weir_listener_close(s->listener);
	weir_waitset_close(s->set);
}

static void serve(struct server *s)
{
	struct weir_event events[32];

	while (!s->done) {
		int n = check("wait", weir_waitset_wait(s->set, events, 32, 0, WEIR_FOREVER));

		for (int i = 0; i < n; i++) {
			struct watch *watch = events[i].cookie;

			watch->ready(s, watch, &events[i]);
		}
	}
}

int main(void)
{
	static struct server server;
	char address[64];

	allow_many_descriptors();
	/* A service would have a path, in a folder that is its own. */
	snprintf(address, sizeof(address), "@weir-hundred-%d", getpid());
	set_up(&server, address);
	start_worker(&server);
	start_crowd(&server, address);
	serve(&server);
	printf("%d clients were given %d answers\n", CLIENTS, server.served);
	printf("the worker was killed %d time(s) and replaced\n", server.killed);
	printf("the clients are %s\n", server.crowd_happy ? "content" : "not content");
	tear_down(&server);
	return 0;
}
