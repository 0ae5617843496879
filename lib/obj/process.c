/* SPDX-License-Identifier: MIT */
/* A child: making its handle, and what there is to ask of it. */
#include "obj/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/sys.h"

/* Those that have names; the others can be used up. */
#define SIGNAL_MAX 31

bool process_options_valid(const struct weir_process_options *o, bool spawn)
{
	if (!o)
		return true;
	if (o->size != sizeof(*o) || (o->flags & ~WEIR_PROCESS_DAEMON) || o->signal < 0 ||
	    o->signal > SIGNAL_MAX || (o->signal && !(o->flags & WEIR_PROCESS_DAEMON)))
		return false;
	if (spawn)
		return o->handle_count == 0 || o->handles;
	return !o->file && !o->environment && !o->handles && o->handle_count == 0;
}

/*
 * Making
 */

static int name_it(struct weir_process *p, const char *name, uint32_t number)
{
	const char *above = process_self()->path;

	if (asprintf(&p->path, "%s%s%u", above, *above ? ":" : "", number) < 0) {
		p->path = NULL;
		return -ENOMEM;
	}
	if (name) {
		p->name = strdup(name);
	} else if (asprintf(&p->name, "Process-%s", p->path) < 0) {
		p->name = NULL;
	}
	return p->name ? 0 : -ENOMEM;
}

static void free_process(struct weir_process *p)
{
	sys_close(p->fd);
	sys_close(p->line);
	sys_close(p->line_end);
	sys_close(p->gate[0]);
	sys_close(p->gate[1]);
	free(p->name);
	free(p->path);
	free(p);
}

static int make_line(struct weir_process *p)
{
	int fds[2], result = task_pipe(fds);

	if (result < 0)
		return result;
	/* Out of the way of the child, too, which keeps the one until it ends. */
	p->line_end = sys_move_high(fds[0]);
	p->line = sys_move_high(fds[1]);
	return task_arm_line(p->line_end, p->signal);
}

static struct weir_process *new_process(const struct weir_process_options *o)
{
	struct weir_process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = p->line = p->line_end = p->gate[0] = p->gate[1] = -1;
	p->flags = o ? o->flags : 0;
	p->signal = o && o->signal ? o->signal : SIGTERM;
	p->starting = true;
	p->maker = pthread_self();
	return p;
}

/* The descriptors are made under the lock, so that no fork gets one that it does not know of. */
static int open_and_add(struct weir_process *p, bool gate, uint32_t *ret_number)
{
	struct list_lock lock;
	int result = 0;

	process_list_lock(&lock);
	if (p->flags & WEIR_PROCESS_DAEMON)
		result = make_line(p);
	if (result == 0 && gate)
		result = task_pipe(p->gate);
	if (result == 0) {
		process_list_add(p);
		*ret_number = process_list_count();
	}
	process_list_unlock(&lock);
	return result;
}

int process_prepare(const struct weir_process_options *o, bool gate, struct weir_process **ret)
{
	struct weir_process *p;
	uint32_t number = 0;
	int result;

	/* Who may end at any time cannot look after others. */
	if (weir_process_current_daemon())
		return -EPERM;
	/* What has ended meanwhile is reaped. */
	weir_process_children(NULL, 0);
	p = new_process(o);
	if (!p)
		return -ENOMEM;
	result = process_list_begin();
	if (result == 0)
		result = open_and_add(p, gate, &number);
	if (result < 0) {
		free_process(p);
		return result;
	}
	result = name_it(p, o ? o->name : NULL, number);
	if (result < 0)
		process_unmade(p, 0);
	else
		*ret = p;
	return result;
}

void process_made(struct weir_process *p)
{
	struct list_lock lock;

	process_list_lock(&lock);
	sys_close(p->gate[0]);
	sys_close(p->gate[1]);
	sys_close(p->line_end);
	p->gate[0] = p->gate[1] = p->line_end = -1;
	p->starting = false;
	process_list_unlock(&lock);
}

void process_unmade(struct weir_process *p, int32_t pid)
{
	struct list_lock lock;

	process_list_lock(&lock);
	process_list_remove(p);
	process_list_unlock(&lock);
	/* Then it ends. Not before it has left the list, for the sake of forks. */
	sys_close(p->gate[1]);
	p->gate[1] = -1;
	if (pid > 0)
		task_reap(p->fd, pid);
	free_process(p);
}

/*
 * Asking
 */

int weir_process_exit_code(struct weir_process *p, int *ret_code)
{
	struct list_lock lock;
	int result, code;
	bool known;

	if (!p || !ret_code)
		return -EINVAL;
	if (!process_is_ours(p))
		return -ECHILD;
	process_list_lock(&lock);
	result = process_look(p);
	known = p->known;
	code = p->code;
	process_list_unlock(&lock);
	if (result < 0)
		return result;
	if (!known)
		return -ENODATA;
	*ret_code = code;
	return 0;
}

int weir_process_alive(struct weir_process *p)
{
	struct list_lock lock;
	int result;

	if (!p)
		return -EINVAL;
	if (!process_is_ours(p))
		return -ECHILD;
	process_list_lock(&lock);
	result = process_look(p);
	process_list_unlock(&lock);
	return result == -EAGAIN ? 1 : result;
}

int weir_process_signal(struct weir_process *p, int signal)
{
	int result;

	if (!p)
		return -EINVAL;
	if (!process_is_ours(p))
		return -ECHILD;
	result = task_signal(p->fd, signal);
	return result == -ESRCH ? 0 : result;
}

int weir_process_terminate(struct weir_process *p)
{
	return weir_process_signal(p, SIGTERM);
}

int weir_process_kill(struct weir_process *p)
{
	return weir_process_signal(p, SIGKILL);
}

int32_t weir_process_pid(const struct weir_process *p)
{
	return p ? p->pid : -EINVAL;
}

const char *weir_process_name(const struct weir_process *p)
{
	return p ? p->name : NULL;
}

int weir_process_fd(const struct weir_process *p)
{
	if (!p)
		return -EINVAL;
	return process_is_ours(p) ? p->fd : -ECHILD;
}

int weir_process_close(struct weir_process *p)
{
	struct list_lock lock;
	int result = 0;

	if (!p)
		return 0;
	if (process_is_ours(p)) {
		process_list_lock(&lock);
		result = process_look(p);
		if (result == 0)
			process_list_remove(p);
		process_list_unlock(&lock);
	}
	if (result == 0)
		free_process(p);
	return result == -EAGAIN ? -EBUSY : result;
}
