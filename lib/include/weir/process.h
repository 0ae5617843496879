/* SPDX-License-Identifier: MIT */
/*
 * Processes: a function in a process of its own, or a program that is given handles.
 *
 *	static int f(void *q)
 *	{
 *		return weir_queue_put(q, "hello", 5, 0, WEIR_FOREVER) < 0;
 *	}
 *
 *	weir_process_start(f, q, NULL, &p);
 *	weir_queue_get(q, buffer, sizeof(buffer), 0, WEIR_FOREVER, &size);
 *	weir_process_join(p, 0, WEIR_FOREVER);
 *	weir_process_exit_code(p, &code);
 *	weir_process_close(p);
 *
 * A process that is made here is a child of the one that makes it, whichever thread did. At the
 * normal end of a process, exit(3) or a return from main(), its daemonic children are told to end
 * and the others are waited for. Daemonic ones are also told when their parent ends otherwise, by
 * SIGKILL for one, or executes another program.
 *
 * weir_process_start() forks. All weir objects work in the child, and so does malloc(3). But where
 * the parent has other threads, these may have been inside anything at that moment, with its locks
 * taken for ever and its data half changed: stdio, the time zone, name resolution, any library.
 * Then the child is to do nothing but call async-signal-safe functions, malloc(3) and weir; or use
 * weir_process_spawn(), which has none of this, nor the price of copying a large parent's tables.
 *
 * A struct weir_process belongs to the process that made it. In a forked child all calls on it
 * fail with -ECHILD, but for the pid, the name and the close. Any thread may make all calls here,
 * also at the same time, but for the close. None is async-signal-safe or a cancellation point.
 */
#ifndef WEIR_PROCESS_H
#define WEIR_PROCESS_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A child. Opaque; freed by weir_process_close(). */
struct weir_process;

/* Flags of struct weir_process_options. */

/** It ends with its parent, and may have no children of its own. */
#define WEIR_PROCESS_DAEMON	(UINT32_C(1) << 0)

/** A handle for a program. */
struct weir_process_handle {
	const char *variable;	/**< the environment variable that weir_import() is given there */
	const void *handle;	/**< an object, as for weir_export() */
};

/** How to make a process. Zero all that you do not set; NULL options are all zeros. */
struct weir_process_options {
	size_t size;		/**< sizeof(struct weir_process_options) */
	uint32_t flags;		/**< WEIR_PROCESS_* */
	/** What a daemonic process is told with to end, one of the signals 1 to 31; 0: SIGTERM. */
	int32_t signal;
	const char *name;	/**< is copied; NULL: "Process-N", N counting from 1 */

	/* The rest is for weir_process_spawn() alone. */

	/** The file to execute; NULL: argv[0]. Without a slash it is looked for in PATH. */
	const char *file;
	/** Up to a NULL, as environ(7); NULL: that of this process. Handles come on top of it. */
	char *const *environment;
	const struct weir_process_handle *handles;	/**< what the program is given */
	size_t handle_count;				/**< how many */
};

/**
 * Run @function(@arg) in a new process, which ends with what it returns, 0 to 255, as exit code.
 *
 * @ret_process	must be closed by weir_process_close()
 * Standard output and error are flushed before, so that nothing is written twice. When the function
 * returns, the new process waits for its own children, flushes the two again and ends with
 * _exit(2): handlers that the parent has registered with atexit(3) do not run. It does that also
 * where it calls weir_process_exit(); but exit(3) does run them. Its signal mask and handlers are
 * those of the caller. Costs a descriptor, 2 for a daemonic process. Blocks while the kernel makes
 * a process.
 *
 * Returns 0, or -EPERM (this process is daemonic), -EINVAL, -EAGAIN (too many processes), -ENOMEM,
 * -EMFILE, -ENFILE, -ENOSYS (before Linux 5.4): the function has not run then, and will not.
 */
WEIR_PUBLIC int weir_process_start(int (*function)(void *arg), void *arg,
				   const struct weir_process_options *options,
				   struct weir_process **ret_process);

/**
 * Execute a program in a new process, with @argv up to a NULL, and with copies of the handles of
 * @options, whose texts are in the environment variables named there.
 *
 * The program imports each with weir_import(getenv(VARIABLE), ...), or does not: nobody else has
 * got the copies. It has the environment variable WEIR_PROCESS, which tells its copy of this
 * library its name and its parent, and besides what is not close-on-exec the signal mask and the
 * ignored signals of the caller. A daemonic one has a descriptor, above 511 where possible, that it
 * must not close: it is how it learns that its parent has ended. The program does not see a copy of
 * this process, and locks of other threads are no danger: this is the safe way to make a process
 * where there are threads.
 *
 * Blocks until the program is loaded. Costs a descriptor, 2 for a daemonic process.
 *
 * Returns 0: the program runs; or why not: an error of weir_process_start(); of execve(2), such as
 * -ENOENT (no such file), -EACCES, -ENOEXEC (not a program), -E2BIG; of weir_export(). No process
 * is left then.
 */
WEIR_PUBLIC int weir_process_spawn(char *const argv[], const struct weir_process_options *options,
				   struct weir_process **ret_process);

/**
 * Wait until the process has ended. Again and again, and by any number of threads.
 *
 * @flags	WEIR_INTR
 * The process is reaped: no zombie is left.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: it has not ended; -EINVAL: flags, or it is this
 * process; -ECHILD: it is not a child of this process.
 */
WEIR_PUBLIC int weir_process_join(struct weir_process *process, uint32_t flags, int64_t deadline);

/**
 * How the process ended: @ret_code is what it returned or gave to exit(3), 0 to 255, or -N if
 * signal N has ended it. Does not block.
 *
 * Returns 0, or -EAGAIN: it has not ended; -ENODATA: it has, but this program has reaped it by
 * itself, by wait(2) or by ignoring SIGCHLD, and the kernel does not tell afterwards, which it does
 * from Linux 6.15 on; -ECHILD: it is not a child of this process; -EINVAL.
 */
WEIR_PUBLIC int weir_process_exit_code(struct weir_process *process, int *ret_code);

/**
 * Whether it has not ended. Does not block. Returns 1 or 0, or -ECHILD: it is not a child of this
 * process; -EINVAL.
 */
WEIR_PUBLIC int weir_process_alive(struct weir_process *process);

/**
 * Send it @signal; 0 only looks whether that is allowed. Does not block. Never another process,
 * however many numbers have been used again. One that has ended is no error.
 *
 * Children of that process are not affected: they become orphans.
 *
 * Returns 0, or -EPERM (it has other rights by now), -EINVAL, -ECHILD.
 */
WEIR_PUBLIC int weir_process_signal(struct weir_process *process, int signal);

/** Send it SIGTERM. As weir_process_signal(). */
WEIR_PUBLIC int weir_process_terminate(struct weir_process *process);

/** Send it SIGKILL. As weir_process_signal(). */
WEIR_PUBLIC int weir_process_kill(struct weir_process *process);

/** Its number; it may be another process's once this one has been joined. -EINVAL for NULL. */
WEIR_PUBLIC int32_t weir_process_pid(const struct weir_process *process);

/** Its name, which is valid until the close; NULL for NULL. */
WEIR_PUBLIC const char *weir_process_name(const struct weir_process *process);

/**
 * A descriptor, pidfd_open(2), that is readable (POLLIN) once the process has ended.
 *
 * For poll(2), event loops and weir_waitset_add_fd(); it belongs to @process and is closed with it.
 * Returns it, or -ECHILD, -EINVAL.
 */
WEIR_PUBLIC int weir_process_fd(const struct weir_process *process);

/**
 * Free it; NULL is allowed. No other thread may be inside a call on it.
 *
 * Unlike all other closes this one can fail, as nothing would be left to join the process with.
 * Returns 0, or -EBUSY: the process has not ended; it is still there, and nothing has changed.
 */
WEIR_PUBLIC int weir_process_close(struct weir_process *process);

/**
 * The children of this process that were made here and have not ended; those that have are reaped.
 *
 * @processes	up to @count of them; NULL if @count is 0
 * Does not block. Returns how many there are, which may be more than @count; or -EINVAL.
 */
WEIR_PUBLIC int weir_process_children(struct weir_process **processes, size_t count);

/** The name of this process: that it was made with, or "MainProcess". Valid until it ends. */
WEIR_PUBLIC const char *weir_process_current_name(void);

/** 1 if this process was made here, daemonic, otherwise 0. */
WEIR_PUBLIC int weir_process_current_daemon(void);

/** The number of the process that made this one here; 0 if nobody did. */
WEIR_PUBLIC int32_t weir_process_parent(void);

/** Whether there is such a process and it has not ended: 1 or 0. Does not block. */
WEIR_PUBLIC int weir_process_parent_alive(void);

/**
 * End this process as if its function had returned @code, see weir_process_start(). In a process
 * that was not made by that call it is exit(3).
 */
WEIR_PUBLIC void weir_process_exit(int code) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
