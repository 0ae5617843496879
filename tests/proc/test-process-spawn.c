/* SPDX-License-Identifier: MIT */
/* Programs in processes of their own, and what is given to them. */
#include "process-tools.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define THREADS		4
#define ROUNDS		25

static char peer[] = PROCESS_PEER;
static struct resources before;

static int try_spawn(char *what, char *how, struct weir_process_options *options,
		     struct weir_process **ret)
{
	char *argv[] = { peer, what, how, NULL };

	return weir_process_spawn(argv, options, ret);
}

static struct weir_process *spawn(const char *what, const char *how,
				  struct weir_process_options *options)
{
	struct weir_process *p;

	ck_assert_int_eq(try_spawn((char *)(uintptr_t)what, (char *)(uintptr_t)how, options, &p),
			 0);
	return p;
}

static void setup(void)
{
	ck_assert_int_eq(process_result(spawn("code", "0", NULL)), 0);
	before = resources_begin();
	/* Arenas of malloc(), and what wait sets make once. */
	before.anonymous = false;
}

static void teardown(void)
{
	resources_check(&before);
	ck_assert(process_none_left());
}

/*
 * The program
 */

START_TEST(program_runs_with_its_arguments)
{
	ck_assert_int_eq(process_result(spawn("code", "7", NULL)), 7);
}
END_TEST

START_TEST(program_without_a_slash_is_looked_for_in_path)
{
	char *argv[] = { (char *)"x", (char *)"-c", (char *)"exit 5", NULL };
	struct weir_process_options o = process_options(0);
	struct weir_process *p;

	o.file = "sh";
	setenv("PATH", "/nowhere:/etc/passwd:/usr/bin:/bin", 1);
	ck_assert_int_eq(weir_process_spawn(argv, &o, &p), 0);
	ck_assert_int_eq(process_result(p), 5);
	setenv("PATH", "/nowhere", 1);
	ck_assert_int_eq(weir_process_spawn(argv, &o, &p), -ENOENT);
	unsetenv("PATH");
	ck_assert_int_eq(weir_process_spawn(argv, &o, &p), 0);
	ck_assert_int_eq(process_result(p), 5);
}
END_TEST

/* A file with mode @mode and some text in it, which is no program. */
static void make_file(char *name, int mode)
{
	int fd;

	strcpy(name, "/tmp/weir-process-XXXXXX");
	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "no program\n", 11), 11);
	fchmod(fd, (mode_t)mode);
	close(fd);
}

static void check_error(const char *file, int error)
{
	struct weir_process_options o = process_options(0);
	struct weir_process *p = NULL;
	int result;

	o.file = file;
	result = try_spawn((char *)"x", NULL, &o, &p);
	ck_assert_msg(result == error, "%s: %d", file, result);
	ck_assert_ptr_null(p);
	ck_assert_int_eq(weir_process_children(NULL, 0), 0);
	ck_assert(process_none_left());
}

START_TEST(errors_of_exec_are_errors_of_spawn)
{
	char file[32];

	check_error("/nowhere/at/all", -ENOENT);
	check_error("no-such-program-anywhere", -ENOENT);
	check_error("", -ENOENT);
	check_error("/etc/passwd/x", -ENOTDIR);
	check_error("/", -EACCES);
	make_file(file, 0600);
	check_error(file, -EACCES);
	unlink(file);
	make_file(file, 0700);
	check_error(file, -ENOEXEC);
	unlink(file);
}
END_TEST

START_TEST(refused_file_in_path_is_eacces)
{
	char file[32];

	make_file(file, 0600);
	setenv("PATH", "/nowhere:/tmp:/nowhere", 1);
	check_error(strrchr(file, '/') + 1, -EACCES);
	unlink(file);
}
END_TEST

START_TEST(too_many_arguments_are_e2big)
{
	struct weir_process *p = NULL;
	size_t size = (size_t)4 << 20;
	char *large = malloc(size);

	memset(large, 'x', size - 1);
	large[size - 1] = '\0';
	ck_assert_int_eq(try_spawn(large, NULL, NULL, &p), -E2BIG);
	free(large);
	ck_assert_ptr_null(p);
}
END_TEST

START_TEST(program_can_be_signalled_and_killed)
{
	char *argv[] = { (char *)"sleep", (char *)"1000", NULL };
	struct weir_process *p;

	ck_assert_int_eq(weir_process_spawn(argv, NULL, &p), 0);
	ck_assert_int_eq(weir_process_join(p, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_process_close(p), -EBUSY);
	ck_assert_int_eq(weir_process_terminate(p), 0);
	ck_assert_int_eq(process_result(p), -SIGTERM);
}
END_TEST

/*
 * What it has
 */

static struct weir_end *ends[2];

static struct weir_process_options with_end(struct weir_process_handle *handle, uint32_t flags)
{
	struct weir_process_options o = process_options(flags);

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	*handle = (struct weir_process_handle){ "END", ends[1] };
	o.handles = handle;
	o.handle_count = 1;
	return o;
}

static void close_ends(void)
{
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
}

START_TEST(handle_is_given_to_the_program)
{
	struct weir_process_handle handle;
	struct weir_process_options o = with_end(&handle, 0);
	struct weir_process *p = spawn("echo", NULL, &o);

	weir_pipe_close(ends[1]);
	ends[1] = NULL;
	for (uint64_t n = 0; n < 100; n++) {
		uint64_t answer;
		size_t size;

		ck_assert_int_eq(weir_pipe_send(ends[0], &n, sizeof(n), 0, soon()), 0);
		ck_assert_int_eq(weir_pipe_recv(ends[0], &answer, sizeof(answer), 0, soon(), &size),
				 0);
		ck_assert_uint_eq(answer, n + 1);
	}
	weir_pipe_close(ends[0]);
	ck_assert_int_eq(process_result(p), 0);
}
END_TEST

START_TEST(program_is_told_who_it_is)
{
	for (uint32_t flags = 0; flags <= WEIR_PROCESS_DAEMON; flags += WEIR_PROCESS_DAEMON) {
		struct weir_process_handle handle;
		struct weir_process_options o = with_end(&handle, flags);
		struct weir_process *p;
		char text[128], expected[128];
		size_t size;

		o.name = flags ? NULL : "given: a name";
		p = spawn("who", NULL, &o);
		ck_assert_int_eq(weir_pipe_recv(ends[0], text, sizeof(text), 0, soon(), &size), 0);
		snprintf(expected, sizeof(expected), "%s %d 1 1", weir_process_name(p),
			 flags != 0);
		ck_assert_str_eq(text, expected);
		ck_assert_int_eq(process_result(p), 0);
		close_ends();
	}
}
END_TEST

START_TEST(daemonic_program_may_not_have_children)
{
	struct weir_process_options o = process_options(WEIR_PROCESS_DAEMON);

	ck_assert_int_eq(process_result(spawn("child", NULL, &o)), EPERM);
	o.flags = 0;
	ck_assert_int_eq(process_result(spawn("child", NULL, &o)), 0);
}
END_TEST

/* Not those of another program that is started, and after the exec of a program that got them. */
START_TEST(handles_are_for_one_program_only)
{
	struct weir_process_handle handle;
	struct weir_process_options o;
	int alone = process_result(spawn("fds", NULL, NULL)), more;

	o = with_end(&handle, 0);
	more = process_result(spawn("fds", NULL, &o));
	ck_assert_int_gt(more, alone);
	ck_assert_int_eq(process_result(spawn("fds", NULL, NULL)), alone);
	ck_assert_int_eq(process_result(spawn("again", NULL, &o)), more);
	close_ends();
	o = process_options(WEIR_PROCESS_DAEMON);
	ck_assert_int_eq(process_result(spawn("fds", NULL, &o)), alone + 1);
}
END_TEST

START_TEST(no_handle_is_an_error_and_leaves_nothing)
{
	uint32_t not_a_kind = 0;
	struct weir_process_handle handles[2];
	struct weir_process_options o = with_end(handles, 0);
	struct weir_process *p = NULL;

	o.handle_count = 2;
	handles[1] = (struct weir_process_handle){ "OTHER", NULL };
	ck_assert_int_eq(try_spawn((char *)"echo", NULL, &o, &p), -EINVAL);
	handles[1].handle = &not_a_kind;
	ck_assert_int_eq(try_spawn((char *)"echo", NULL, &o, &p), -EINVAL);
	ck_assert_ptr_null(p);
	ck_assert(process_none_left());
	close_ends();
}
END_TEST

START_TEST(environment_is_the_given_one)
{
	char *environment[] = {
		(char *)"A=1", (char *)"ENDLESS=2", (char *)"END=3", NULL,
	};
	struct weir_process_handle handle;
	struct weir_process_options o = with_end(&handle, 0);
	struct weir_process *p;

	setenv("OURS", "1", 1);
	ck_assert_int_eq(process_result(spawn("env", "OURS", NULL)), 1);
	ck_assert_int_eq(process_result(spawn("env", "A", NULL)), 0);
	o.environment = environment;
	ck_assert_int_eq(process_result(spawn("env", "OURS", &o)), 0);
	ck_assert_int_eq(process_result(spawn("env", "A", &o)), 1);
	ck_assert_int_eq(process_result(spawn("env", "ENDLESS", &o)), 1);
	/* The handle's text stands for the variable that was there. */
	p = spawn("echo", NULL, &o);
	close_ends();
	ck_assert_int_eq(process_result(p), 0);
}
END_TEST

static void ignore(int signal)
{
	(void)signal;
}

START_TEST(signal_mask_is_the_callers)
{
	struct sigaction action = { .sa_handler = ignore };
	sigset_t mask;

	ck_assert_int_eq(process_result(spawn("mask", NULL, NULL)), 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(process_result(spawn("mask", NULL, NULL)), SIGUSR2);
	/* Ours is still there. */
	raise(SIGUSR1);
}
END_TEST

static pid_t parent;
static volatile sig_atomic_t strayed;

static void note_stray(int signal)
{
	(void)signal;
	strayed |= getpid() != parent;
}

static int signal_all(void *arg)
{
	(void)arg;
	signal(SIGUSR1, SIG_IGN);
	while (true)
		kill(0, SIGUSR1);
	return 0;
}

/* The child shares the memory: a handler that runs there would be seen here. */
START_TEST(no_handler_runs_in_the_child)
{
	struct sigaction action = { .sa_handler = note_stray, .sa_flags = SA_RESTART };
	struct child child;

	ck_assert_int_eq(setpgid(0, 0), 0);
	parent = getpid();
	sigaction(SIGUSR1, &action, NULL);
	child = child_start(signal_all, NULL);
	for (int i = 0; i < 50; i++) {
		int code = process_result(spawn("code", "0", NULL));

		ck_assert(code == 0 || code == -SIGUSR1);
	}
	child_kill(&child);
	ck_assert_int_eq(strayed, 0);
}
END_TEST

/*
 * Many threads at once, while others allocate and fork
 */

static bool done;

static void *allocate(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		char *volatile memory = malloc(5000);

		free(memory);
	}
	return NULL;
}

static void *fork_plainly(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (waitpid(pid, NULL, 0) != pid)
			return (void *)1;
	}
	return NULL;
}

static int use_memory(void *arg)
{
	char *text = malloc(100);

	snprintf(text, 100, "%d", (int)(intptr_t)arg);
	return atoi(text);
}

static void *start_many(void *arg)
{
	int number = (int)(intptr_t)arg, code;
	struct weir_process *p;

	for (int i = 0; i < ROUNDS; i++) {
		struct weir_process_options o = process_options(
			i % 3 == 0 ? WEIR_PROCESS_DAEMON : 0);
		int result;

		if (i % 2)
			result = weir_process_start(use_memory, (void *)(intptr_t)number, &o, &p);
		else
			result = try_spawn((char *)"code", (char *)(number == 1 ? "1" : "2"),
					   &o, &p);
		if (result < 0 || weir_process_join(p, 0, soon()) < 0 ||
		    weir_process_exit_code(p, &code) < 0 || code != number ||
		    weir_process_close(p) < 0)
			return (void *)1;
	}
	return NULL;
}

START_TEST(many_threads_start_and_spawn)
{
	pthread_t threads[THREADS], others[2];
	void *result;

	ck_assert_int_eq(pthread_create(&others[0], NULL, allocate, NULL), 0);
	ck_assert_int_eq(pthread_create(&others[1], NULL, fork_plainly, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, start_many,
						(void *)(intptr_t)(i % 2 + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_null(result);
	}
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(others[i], &result), 0);
		ck_assert_ptr_null(result);
	}
	ck_assert_int_eq(weir_process_children(NULL, 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process-spawn");
	TCase *tcase = tcase_create("process-spawn");

	if (kernel_unavailable())
		test_skip_all(kernel_unavailable());
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, program_runs_with_its_arguments);
	tcase_add_test(tcase, program_without_a_slash_is_looked_for_in_path);
	tcase_add_test(tcase, errors_of_exec_are_errors_of_spawn);
	tcase_add_test(tcase, refused_file_in_path_is_eacces);
	tcase_add_test(tcase, too_many_arguments_are_e2big);
	tcase_add_test(tcase, program_can_be_signalled_and_killed);
	tcase_add_test(tcase, handle_is_given_to_the_program);
	tcase_add_test(tcase, program_is_told_who_it_is);
	tcase_add_test(tcase, daemonic_program_may_not_have_children);
	tcase_add_test(tcase, handles_are_for_one_program_only);
	tcase_add_test(tcase, no_handle_is_an_error_and_leaves_nothing);
	tcase_add_test(tcase, environment_is_the_given_one);
	tcase_add_test(tcase, signal_mask_is_the_callers);
	tcase_add_test(tcase, no_handler_runs_in_the_child);
	tcase_add_test(tcase, many_threads_start_and_spawn);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
