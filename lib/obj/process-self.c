/* SPDX-License-Identifier: MIT */
/*
 * Who this process is.
 *
 * A forked child is told before it begins. An executed program is told by the environment:
 * "weir1:PID:PARENT:FLAGS:PATH:NAME", which a program that it starts inherits, too; so it counts
 * only for the process that has this PID. Anybody may set it: nothing but a name depends on it, and
 * whether there may be children.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "obj/process.h"

#define MAIN_NAME "MainProcess"

#define PREFIX "weir1:"
/* With zeros in front: the child writes it where there is no stdio. */
#define PID_DIGITS 10
#define PID_AT (sizeof(PROCESS_VARIABLE "=" PREFIX) - 1)

static struct process_self self;

/*
 * The environment
 */

char *process_introduction(const struct weir_process *p)
{
	char *text;
	int size = asprintf(&text, PROCESS_VARIABLE "=" PREFIX "%0*d:%d:%u:%s:%s", PID_DIGITS, 0,
			    p->parent, p->flags, p->path, p->name);

	return size < 0 ? NULL : text;
}

void process_introduce(char *introduction, int32_t pid)
{
	for (int i = PID_DIGITS - 1; i >= 0; i--, pid /= 10)
		introduction[PID_AT + (size_t)i] = (char)('0' + pid % 10);
}

/* A number and the colon behind it; the place after that, or NULL. */
static const char *get_number(const char *at, int32_t *ret_number)
{
	long number;
	char *end;

	if (!at)
		return NULL;
	number = strtol(at, &end, 10);
	if (end == at || *end != ':' || number < 0 || number > INT32_MAX)
		return NULL;
	*ret_number = (int32_t)number;
	return end + 1;
}

/* What @text says, if it is about process @pid; copied to @copy, which @ret then points into. */
static bool parse(const char *text, int32_t pid, char *copy, struct process_self *ret)
{
	int32_t whose, parent, flags;
	char *name;

	text = get_number(text + strlen(PREFIX), &whose);
	text = get_number(text, &parent);
	text = get_number(text, &flags);
	if (!text || whose != pid || parent <= 0 || flags < 0 ||
	    ((uint32_t)flags & ~WEIR_PROCESS_DAEMON))
		return false;
	strcpy(copy, text);
	name = strchr(copy, ':');
	if (!name)
		return false;
	*name++ = '\0';
	*ret = (struct process_self){ pid, parent, (uint32_t)flags, name, copy };
	return true;
}

static bool read_environment(int32_t pid, struct process_self *ret)
{
	/* Not where the program has other rights than who has set it. */
	const char *text = secure_getenv(PROCESS_VARIABLE);
	char *copy;

	if (!text || strncmp(text, PREFIX, strlen(PREFIX)) != 0)
		return false;
	copy = malloc(strlen(text) + 1);
	if (!copy)
		return false;
	if (parse(text, pid, copy, ret))
		return true;
	free(copy);
	return false;
}

/*
 * Known
 */

static void find_out(int32_t pid)
{
	struct process_self found;

	/* A fork that we have not made: of a known process, or of one that never asked. */
	if (self.pid != 0 || !read_environment(pid, &found))
		found = (struct process_self){ pid, 0, 0, MAIN_NAME, "" };
	self.parent = found.parent;
	self.flags = found.flags;
	self.name = found.name;
	self.path = found.path;
	/* order: WHOSE release, to process_self(). */
	store_release(&self.pid, pid);
}

const struct process_self *process_self(void)
{
	struct list_lock lock;
	int32_t pid = getpid();

	/* order: WHOSE acquire, from find_out() in another thread. */
	if (load_acquire(&self.pid) == pid)
		return &self;
	process_list_lock(&lock);
	if (self.pid != pid)
		find_out(pid);
	process_list_unlock(&lock);
	return &self;
}

void process_become(const struct weir_process *p)
{
	self = (struct process_self){ getpid(), p->parent, p->flags, p->name, p->path };
}

const char *weir_process_current_name(void)
{
	return process_self()->name;
}

int weir_process_current_daemon(void)
{
	return (process_self()->flags & WEIR_PROCESS_DAEMON) != 0;
}

int32_t weir_process_parent(void)
{
	return process_self()->parent;
}

int weir_process_parent_alive(void)
{
	int32_t parent = process_self()->parent;

	/* An orphan has a parent that was alive when the first one died: another number. */
	return parent != 0 && getppid() == parent;
}
