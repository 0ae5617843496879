/* SPDX-License-Identifier: MIT */
/*
 * The test program, its children, what they share, and the search for leaks. Stepping is in
 * stepper.c.
 *
 * Everything that this file maps is a mapping of a memfd called "weir-test", by which the search
 * for leaks knows it and leaves it out.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "weir.h"

#define NS_PER_SECOND	INT64_C(1000000000)
#define NOTE_SIZE	4096
#define TEXT_SIZE	((size_t)1 << 20)
#define UNKNOWN_ASLEEP_NS INT64_C(5000000)
#define CHILD_FAILED	101		/* exit status that says "the note has the reason" */
#define SHARED_NAME	"weir-test"

static uint64_t seed;
static uint64_t random_state;
static char *own_note;			/* in a child: where it says why it fails */

/*
 * The program
 */

static uint64_t choose_seed(void)
{
	const char *given = getenv("WEIR_TEST_SEED");

	return given && *given ? strtoull(given, NULL, 0) : (uint64_t)test_now() % 1000000007;
}

/* Before main(): cases may be chosen by the seed. */
__attribute__((constructor)) static void begin(void)
{
	/* Longer than anything here waits before it says what it waits for, on a loaded machine. */
	setenv("CK_DEFAULT_TIMEOUT", "120", 0);
	seed = choose_seed();
	random_state = seed;
}

/* The library maps three pages at first use and keeps them: not while somebody counts. */
static void use_library_once(void)
{
	struct weir_end *ends[2];
	struct weir_lock *lock;

	if (weir_lock(&lock, NULL) == 0)
		weir_lock_close(lock);
	if (weir_pipe(ends, NULL) < 0)
		return;
	weir_pipe_send(ends[1], "", 0, 0, 0);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
}

int test_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	use_library_once();
	printf("# seed %llu, to repeat: WEIR_TEST_SEED=%llu\n", (unsigned long long)seed,
	       (unsigned long long)seed);
	/* What stands in the buffer at a fork would be printed twice. */
	fflush(stdout);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	srunner_free(runner);
	return 0;
}

void test_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	fflush(stdout);
	exit(0);
}

void test_left_out(const char *name, const char *reason)
{
	printf("# left out: %s: %s\n", name, reason);
}

uint64_t test_seed(void)
{
	return seed;
}

bool test_chosen(uint64_t index)
{
	const char *given = getenv("WEIR_TEST_ONE_OF");
	uint64_t of = given ? strtoull(given, NULL, 0) : 1;

	return of < 2 || (index + seed) % of == 0;
}

uint64_t test_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t test_random_below(uint64_t limit)
{
	return test_random() % limit;
}

/* Fail the case; in a child, which must not use check for it, fail the child. */
__attribute__((format(printf, 3, 4))) static _Noreturn void fail_at(const char *file, int line,
								    const char *format, ...)
{
	static char text[NOTE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (own_note)
		child_fail(file, line, text);
	ck_abort_msg("%s:%d: %s", file, line, text);
	abort();
}

/*
 * Time. Not through the library, which is what is tested.
 */

int64_t test_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

int64_t soon(void)
{
	return test_now() + 30 * NS_PER_SECOND;
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

/*
 * Memory that children share
 */

static void *map_shared(size_t size)
{
	int fd = memfd_create(SHARED_NAME, MFD_CLOEXEC);
	void *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		fail_at(__FILE__, __LINE__, "no shared memory: %s", strerror(errno));
	close(fd);
	return memory;
}

void *shared_alloc(size_t size)
{
	return map_shared(size ? size : 1);
}

struct barrier *barrier_create(uint32_t parties)
{
	struct barrier *barrier = shared_alloc(sizeof(*barrier));

	barrier->parties = parties;
	return barrier;
}

bool barrier_wait(struct barrier *barrier)
{
	return barrier_wait_until(barrier, soon());
}

bool barrier_wait_until(struct barrier *barrier, int64_t deadline)
{
	uint32_t round = load_acquire(&barrier->round);
	struct timespec slice = { .tv_nsec = 10000000 };

	if (add_seq(&barrier->arrived, 1) + 1 == barrier->parties) {
		store_relaxed(&barrier->arrived, 0);
		store_seq(&barrier->round, round + 1);
		syscall(SYS_futex, &barrier->round, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return true;
	}
	for (int i = 0; i < 2000; i++) {
		if (load_acquire(&barrier->round) != round)
			return true;
		cpu_relax();
	}
	while (load_acquire(&barrier->round) == round) {
		if (test_now() >= deadline)
			return false;
		syscall(SYS_futex, &barrier->round, FUTEX_WAIT, round, &slice, NULL, 0);
	}
	return true;
}

/*
 * Children
 */

struct child child_start(int (*fn)(void *arg), void *arg)
{
	struct child child = { .note = map_shared(NOTE_SIZE) };
	pid_t parent = getpid();

	child.pid = fork();
	if (child.pid < 0)
		fail_at(__FILE__, __LINE__, "fork: %s", strerror(errno));
	if (child.pid == 0) {
		own_note = child.note;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The parent may have died before that took effect. */
		if (getppid() != parent)
			_exit(1);
		_exit(fn(arg));
	}
	return child;
}

void child_fail(const char *file, int line, const char *text)
{
	if (own_note)
		snprintf(own_note, NOTE_SIZE, "%s:%d: %s", file, line, text);
	else
		fprintf(stderr, "child_check() outside a child: %s:%d: %s\n", file, line, text);
	_exit(CHILD_FAILED);
}

void child_forget(struct child *child)
{
	munmap(child->note, NOTE_SIZE);
	child->note = NULL;
	child->pid = 0;
}

static int join(struct child *child, char *ret_note)
{
	int64_t since = test_now(), waited;
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(child->pid, &status, WNOHANG);
		if (pid == child->pid)
			break;
		if (pid < 0 && errno != EINTR)
			fail_at(__FILE__, __LINE__, "waitpid: %s", strerror(errno));
		waited = test_now() - since;
		if (waited > 60 * NS_PER_SECOND) {
			kill(child->pid, SIGKILL);
			fail_at(__FILE__, __LINE__, "child %d has not ended for a minute",
				child->pid);
		}
		/* Most are about to end, and some cases join thousands. */
		if (waited < 1000000)
			sched_yield();
		else
			pause_ns(100000);
	}
	memcpy(ret_note, child->note, NOTE_SIZE);
	child_forget(child);
	return status;
}

int child_join(struct child *child)
{
	char note[NOTE_SIZE];

	return join(child, note);
}

void child_join_ok_at(struct child *child, const char *file, int line)
{
	char note[NOTE_SIZE];
	int status = join(child, note);

	note[NOTE_SIZE - 1] = '\0';
	if (WIFSIGNALED(status))
		fail_at(file, line, "the child was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == CHILD_FAILED && note[0])
		fail_at(file, line, "the child failed: %.3000s", note);
	if (WEXITSTATUS(status) != 0)
		fail_at(file, line, "the child returned %d", WEXITSTATUS(status));
}

void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	child_join(child);
}

static void signal_and_wait(struct child *child, int signal, int wait_flag)
{
	siginfo_t info;
	int rc;

	kill(child->pid, signal);
	do {
		rc = waitid(P_PID, (id_t)child->pid, &info, wait_flag | WEXITED | WNOWAIT);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0 || (info.si_code != CLD_STOPPED && info.si_code != CLD_CONTINUED))
		fail_at(__FILE__, __LINE__, "child %d has ended instead of taking signal %d",
			child->pid, signal);
	/* Take the report, which WNOWAIT left. */
	waitid(P_PID, (id_t)child->pid, &info, wait_flag);
}

void child_stop(struct child *child)
{
	signal_and_wait(child, SIGSTOP, WSTOPPED);
}

void child_continue(struct child *child)
{
	signal_and_wait(child, SIGCONT, WCONTINUED);
}

/* The content of a file of /proc, cut to @size - 1; false if there is none. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n = 0;

	if (fd < 0)
		return false;
	while (length < size - 1 && (n = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = '\0';
	return n >= 0;
}

char child_state(pid_t pid)
{
	char path[64], text[512];
	const char *after_name;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!read_text(path, text, sizeof(text)))
		return 0;
	/* "pid (name) state ...", and the name may have parentheses. */
	after_name = strrchr(text, ')');
	return after_name && after_name[1] ? after_name[2] : 0;
}

int64_t child_starved(pid_t pid)
{
	char path[64], text[512];
	long long starved = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	if (!read_text(path, text, sizeof(text)) || sscanf(text, "%*u %lld", &starved) != 1)
		return 0;
	return starved;
}

/*
 * The number of the system call that the process is in, -1 if it is in none or that cannot be
 * known: under an emulator /proc shows the emulator's.
 */
static long process_call(pid_t pid, bool *ret_known)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	*ret_known = !getenv("WEIR_TEST_EMULATED") && read_text(path, text, sizeof(text));
	return *ret_known && text[0] >= '0' && text[0] <= '9' ? strtol(text, NULL, 10) : -1;
}

bool child_wait_asleep(pid_t pid)
{
	return child_wait_asleep_in(pid, -1);
}

const char *kernel_unavailable(void)
{
	return getenv("WEIR_TEST_EMULATED") ? "the emulator does not pass it on" : NULL;
}

bool child_wait_asleep_in(pid_t pid, long call)
{
	int64_t deadline = soon(), asleep_since = 0;

	while (test_now() < deadline) {
		char state = child_state(pid);
		bool known;
		long in;

		if (state == 0 || state == 'Z' || state == 'X')
			return false;
		if (state != 'S') {
			asleep_since = 0;
		} else {
			in = process_call(pid, &known);
			if (known && (call < 0 ? in >= 0 : in == call))
				return true;
			/* An emulator also sleeps for a moment, for its own locks. */
			if (asleep_since == 0)
				asleep_since = test_now();
			if (!known && test_now() - asleep_since > UNKNOWN_ASLEEP_NS)
				return true;
		}
		pause_ns(50000);
	}
	return false;
}

/*
 * Leaks. A snapshot is text, one line per descriptor or mapping.
 */

static char *list_fds(void)
{
	char *text = map_shared(TEXT_SIZE), path[64], target[256];
	DIR *dir = opendir("/proc/self/fd");
	size_t length = 0;
	struct dirent *entry;

	if (!dir)
		fail_at(__FILE__, __LINE__, "/proc/self/fd: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		ssize_t n;

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%.20s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		/* check's own, one for each part of a case, where it does not fork. */
		if (strstr(target, "/check_") && strstr(target, " (deleted)"))
			continue;
		length += (size_t)snprintf(text + length, TEXT_SIZE - length, "descriptor %s %s\n",
					   entry->d_name, target);
	}
	closedir(dir);
	return text;
}

static char *list_maps(void)
{
	char *text = map_shared(TEXT_SIZE);

	if (!read_text("/proc/self/maps", text, TEXT_SIZE))
		fail_at(__FILE__, __LINE__, "/proc/self/maps: %s", strerror(errno));
	return text;
}

struct resources resources_begin(void)
{
	const char *forks = getenv("CK_FORK");
	/* Without forks it is for valgrind, which maps as it pleases, too. */
	bool sanitized = WEIR_TSAN || (forks && strcmp(forks, "no") == 0);

#if defined(__SANITIZE_ADDRESS__)
	sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	sanitized = true;
#endif
#endif
	return (struct resources){
		.maps = list_maps(),
		.fds = list_fds(),
		/* In an emulator the heap has no name. */
		.anonymous = !sanitized && !kernel_unavailable(),
	};
}

static bool has_line(const char *text, const char *line, size_t length)
{
	const char *found = text;

	while ((found = memmem(found, strlen(found), line, length))) {
		if (found == text || found[-1] == '\n')
			return true;
		found++;
	}
	return false;
}

static bool is_private_anonymous(const char *line)
{
	unsigned long inode;

	/* "from-to perms offset device inode name" */
	return sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1 && inode == 0;
}

static bool map_counts(const char *line, size_t length, bool anonymous)
{
	if (memmem(line, length, "/memfd:" SHARED_NAME, strlen("/memfd:" SHARED_NAME)))
		return false;
	/* [heap], [stack], [vdso] ... */
	if (length > 1 && line[length - 2] == ']')
		return false;
	return anonymous || !is_private_anonymous(line);
}

/* Append the lines of @a that @b lacks. */
static size_t lines_missing(const char *a, const char *b, bool are_maps, bool anonymous,
			    const char *what, char *out, size_t size)
{
	size_t written = 0;

	while (*a) {
		size_t length = strcspn(a, "\n") + 1;

		if (!has_line(b, a, length) && (!are_maps || map_counts(a, length, anonymous)) &&
		    size - written > length + 32)
			written += (size_t)sprintf(out + written, "\n  %s: %.*s", what,
						   (int)length - 1, a);
		a += length;
	}
	return written;
}

const char *resources_difference(const struct resources *before)
{
	static char out[NOTE_SIZE];
	char *fds = list_fds(), *maps = list_maps();
	size_t n = 0;

	n += lines_missing(fds, before->fds, false, false, "new", out + n, sizeof(out) - n);
	n += lines_missing(before->fds, fds, false, false, "gone", out + n, sizeof(out) - n);
	n += lines_missing(maps, before->maps, true, before->anonymous, "new mapping", out + n,
			   sizeof(out) - n);
	n += lines_missing(before->maps, maps, true, before->anonymous, "mapping gone", out + n,
			   sizeof(out) - n);
	munmap(fds, TEXT_SIZE);
	munmap(maps, TEXT_SIZE);
	return n > 0 ? out : NULL;
}

void resources_check_at(const struct resources *before, const char *file, int line)
{
	const char *difference = resources_difference(before);

	if (difference)
		fail_at(file, line, "not as it was before:%s", difference);
}
