/* SPDX-License-Identifier: MIT */
/*
 * A program in a process of its own.
 *
 * The child shares this process's memory until it executes the program, as vfork(2) does; so
 * nothing is copied, no lock of another thread matters, and an error is simply written down. In
 * between it must not do anything but make system calls: all else is prepared before. The handles
 * are exported there, where nobody else inherits the copies.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "obj/process.h"
#include "sys/sys.h"
#include "weir/handle.h"

/* Of a child that has not executed anything; nobody sees it. */
#define NOT_EXECUTED 127
/* Exporting has the largest frames, which a sanitizer makes larger. */
#define STACK_SIZE ((size_t)256 << 10)

/* What the child has to do. The error lies in memory that is always shared. */
struct plan {
	struct weir_process *process;
	const struct weir_process_options *options;
	char *const *argv;
	char **environment;	/* allocated; the strings are the caller's, but for the last ones */
	char **texts;		/* of the handles: VARIABLE=, and room; NULL at the end */
	char *introduction;
	char **files;		/* to be tried one after the other; NULL at the end */
	struct signal_mask mask;
};

struct shared {
	struct plan *plan;
	int error;
	unsigned char stack[STACK_SIZE] __attribute__((aligned(16)));
};

/*
 * Before
 */

static void free_texts(char **texts)
{
	for (size_t i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

static void free_plan(struct plan *plan)
{
	free_texts(plan->texts);
	free_texts(plan->files);
	free(plan->environment);
	free(plan->introduction);
}

static bool variable_valid(const char *name)
{
	return name && *name && !strchr(name, '=');
}

static int make_texts(struct plan *plan, const struct weir_process_options *o)
{
	size_t count = o ? o->handle_count : 0;

	plan->texts = calloc(count + 1, sizeof(*plan->texts));
	if (!plan->texts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *name = o->handles[i].variable;

		if (!variable_valid(name))
			return -EINVAL;
		plan->texts[i] = malloc(strlen(name) + 1 + WEIR_EXPORT_SIZE);
		if (!plan->texts[i])
			return -ENOMEM;
		sprintf(plan->texts[i], "%s=", name);
	}
	return 0;
}

static bool is_named(const char *string, const char *name, size_t length)
{
	return strncmp(string, name, length) == 0 && string[length] == '=';
}

/* Whether the variable @string is one that we set. */
static bool is_ours(const struct weir_process_options *o, const char *string)
{
	if (is_named(string, PROCESS_VARIABLE, strlen(PROCESS_VARIABLE)))
		return true;
	for (size_t i = 0; o && i < o->handle_count; i++)
		if (is_named(string, o->handles[i].variable, strlen(o->handles[i].variable)))
			return true;
	return false;
}

static int make_environment(struct plan *plan, const struct weir_process_options *o)
{
	char *const *given = o && o->environment ? o->environment : environ;
	size_t count = 0, used = 0;

	while (given && given[count])
		count++;
	plan->environment = calloc(count + (o ? o->handle_count : 0) + 2, sizeof(char *));
	if (!plan->environment)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!is_ours(o, given[i]))
			plan->environment[used++] = given[i];
	for (size_t i = 0; plan->texts[i]; i++)
		plan->environment[used++] = plan->texts[i];
	plan->environment[used] = plan->introduction;
	return 0;
}

/* "FOLDER/FILE"; an empty folder is the current one. */
static char *join_path(const char *folder, size_t length, const char *file)
{
	char *path = malloc(length + 1 + strlen(file) + 1);

	if (path)
		sprintf(path, "%.*s%s%s", (int)length, folder, length > 0 ? "/" : "", file);
	return path;
}

static int make_files(struct plan *plan, const char *file)
{
	/* As execvp(3) does; without a variable, where the system's own programs are. */
	const char *at = strchr(file, '/') || !*file ? "" : getenv("PATH");
	size_t count = 1, used = 0;

	if (!at)
		at = "/bin:/usr/bin";
	for (const char *c = at; *c; c++)
		count += *c == ':';
	plan->files = calloc(count + 1, sizeof(char *));
	if (!plan->files)
		return -ENOMEM;
	for (; used < count; used++) {
		size_t length = strcspn(at, ":");

		plan->files[used] = join_path(at, length, file);
		if (!plan->files[used])
			return -ENOMEM;
		at += length + 1;
	}
	return 0;
}

static int make_plan(struct plan *plan, struct weir_process *p, char *const argv[],
		     const struct weir_process_options *o)
{
	int result;

	*plan = (struct plan){ .process = p, .options = o, .argv = argv };
	plan->introduction = process_introduction(p);
	result = plan->introduction ? make_texts(plan, o) : -ENOMEM;
	if (result == 0)
		result = make_environment(plan, o);
	if (result == 0)
		result = make_files(plan, o && o->file ? o->file : argv[0]);
	return result;
}

/*
 * In the child
 */

static int export_handles(const struct plan *plan)
{
	for (size_t i = 0; plan->texts[i]; i++) {
		char *text = strchr(plan->texts[i], '=') + 1;
		int result = weir_export(plan->options->handles[i].handle, text, WEIR_EXPORT_SIZE);

		if (result < 0)
			return result;
	}
	return 0;
}

static int keep_line(const struct weir_process *p)
{
	int result;

	if (p->line_end < 0)
		return 0;
	result = task_own_line(p->line_end, getpid());
	return result < 0 ? result : task_keep_over_exec(p->line_end);
}

/* The first that can be executed; otherwise what is wrong with it. */
static int execute(const struct plan *plan)
{
	int result = -ENOENT, refused = 0;

	for (char **file = plan->files; *file; file++) {
		result = task_execute(*file, plan->argv, plan->environment);
		if (result == -EACCES)
			refused = result;
		else if (result != -ENOENT && result != -ENOTDIR && result != -ESTALE &&
			 result != -ENODEV && result != -ETIMEDOUT)
			return result;
	}
	return refused < 0 ? refused : result;
}

static int child(void *arg)
{
	struct shared *shared = arg;
	const struct plan *plan = shared->plan;
	int result;

	process_introduce(plan->introduction, getpid());
	result = export_handles(plan);
	if (result == 0)
		result = keep_line(plan->process);
	if (result == 0) {
		task_drop_handlers();
		task_set_signals(&plan->mask);
		result = execute(plan);
	}
	shared->error = result;
	return NOT_EXECUTED;
}

/*
 * The parent
 */

static int run(struct plan *plan)
{
	struct weir_process *p = plan->process;
	struct shared *shared;
	struct list_lock lock;
	int result, fd = -1;
	void *memory;

	result = task_shared_memory(sizeof(*shared), &memory);
	if (result < 0)
		return result;
	shared = memory;
	shared->plan = plan;
	task_block_signals(&plan->mask);
	result = task_spawn(child, shared, shared->stack + STACK_SIZE, &fd);
	task_set_signals(&plan->mask);
	if (result > 0) {
		process_list_lock(&lock);
		p->pid = result;
		p->fd = sys_move_high(fd);
		process_list_unlock(&lock);
		result = shared->error;
	}
	sys_unmap(memory, sizeof(*shared));
	return result;
}

int weir_process_spawn(char *const argv[], const struct weir_process_options *options,
		       struct weir_process **ret_process)
{
	struct weir_process *p;
	struct plan plan;
	int result;

	if (!argv || !argv[0] || !ret_process || !process_options_valid(options, true))
		return -EINVAL;
	result = process_prepare(options, false, &p);
	if (result < 0)
		return result;
	result = make_plan(&plan, p, argv, options);
	if (result == 0)
		result = run(&plan);
	free_plan(&plan);
	if (result < 0) {
		process_unmade(p, p->pid);
		return result;
	}
	process_made(p);
	*ret_process = p;
	return 0;
}
