/* SPDX-License-Identifier: MIT */
/*
 * Each system call that weir makes, as one function with the fallbacks that older kernels and
 * containers need. All return a non-negative value or a negative errno, and none writes errno.
 *
 * This is the only place that tests interpose: sys_fault, when set, is asked before each call and
 * may answer with a negative errno that the call then returns instead of being made.
 */
#ifndef WEIR_SYS_SYS_H
#define WEIR_SYS_SYS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct epoll_event;

enum sys_call {
	SYS_CALL_MEMFD,
	SYS_CALL_TRUNCATE,
	SYS_CALL_ALLOCATE,
	SYS_CALL_SEAL,
	SYS_CALL_MMAP,
	SYS_CALL_MADVISE,
	SYS_CALL_EVENTFD,
	SYS_CALL_SOCKETPAIR,
	SYS_CALL_EPOLL_CREATE,
	SYS_CALL_EPOLL_ADD,
	SYS_CALL_DUP,
	SYS_CALL_FUTEX_WAIT,
	SYS_CALL_FUTEX_WAKE,
	SYS_CALL_POLL,
	SYS_CALL_EVENT_WRITE,
	SYS_CALL_EVENT_READ,
	SYS_CALL_LOCK,
	SYS_CALL_PIDFD,
	SYS_CALL_OPEN,
	SYS_CALL_READ,
	SYS_CALL_STAT,
	SYS_CALL_STATFS,
	SYS_CALL_READLINK,
	SYS_CALL_PREAD,
	SYS_CALL_GET_SEALS,
	SYS_CALL_GET_FLAGS,
	SYS_CALL_NAMESPACE,
	SYS_CALL_SOCKET_OPTION,
	SYS_CALL_SENDMSG,
	SYS_CALL_RECVMSG,
	SYS_CALL_SOCKET,
	SYS_CALL_BIND,
	SYS_CALL_LISTEN,
	SYS_CALL_ACCEPT,
	SYS_CALL_CONNECT,
	SYS_CALL_SEND,
	SYS_CALL_RECEIVE,
	SYS_CALL_CHMOD,
	SYS_CALL_UNLINK,
	SYS_CALL_TIMER,
	SYS_CALL_EPOLL_WAIT,
	SYS_CALL_READ_PARTS,
	SYS_CALL_WRITE_PARTS,
	SYS_CALL_SEND_PACKETS,
	SYS_CALL_SYNC,
	SYS_CALL_SEEK,
	SYS_CALL_SIGNAL_MASK,
	SYS_CALL_FORK,
	SYS_CALL_EXECUTE,
	SYS_CALL_WAIT,
	SYS_CALL_SIGNAL,
	SYS_CALL_PIPE,
	SYS_CALL_LINE,
	SYS_CALL_URING_SETUP,
	SYS_CALL_URING_ENTER,
	SYS_CALL_URING_REGISTER,
	SYS_CALL_COUNT
};

/*
 * For tests: 0 lets the call through, a negative errno is its result. NULL, the default, asks
 * nobody.
 */
extern int (*sys_fault)(enum sys_call call);
/* The same for calls that a library makes for us, before it does: 0, or its error. */
int sys_ask(enum sys_call call);

/* A new memfd: CLOEXEC, sealable, not executable where the kernel knows that. */
int sys_memfd(const char *name);
int sys_truncate(int fd, uint64_t size);
/* Have memory for @size bytes of @fd now, so that touching it later cannot fail. */
int sys_allocate(int fd, uint64_t size);
/* Give back the memory of a part of @fd, which is zero then for all who have it mapped. */
int sys_punch(int fd, uint64_t offset, uint64_t size);
/* No shrinking, no growing, no further seals. */
int sys_seal(int fd);
/* -EINVAL where @fd is a file that has no seals. */
int sys_get_seals(int fd);
int sys_stat(int fd, struct stat *ret_stat);
int sys_pread(int fd, void *buffer, size_t size, uint64_t offset);

/* Address space without memory, for sys_map_at(). */
int sys_reserve(size_t size, void **ret_address);
int sys_map_at(void *address, size_t size, int fd, uint64_t offset, bool populate);
/* The same, in which what is written changes nothing in the file. */
int sys_map_copy_at(void *address, size_t size, int fd, uint64_t offset);
/* Private zeroed pages that a forked child sees as zeroes again. */
int sys_map_wiped(size_t size, void **ret_address);
/* The same, made by whoever needs it first and never freed; NULL where there is no room. */
void *sys_wiped_once(void **slot, size_t size);
void sys_unmap(void *address, size_t size);
/* Have memory for a part of a shared mapping now, where the kernel can; a hint before 5.14. */
int sys_populate(void *address, size_t size);

/* Counter at 0, CLOEXEC, O_NONBLOCK. */
int sys_eventfd(void);
/* Two ends of an AF_UNIX SOCK_SEQPACKET; CLOEXEC, O_NONBLOCK. */
int sys_socketpair(int ret_fds[2]);
int sys_epoll(void);
int sys_epoll_add(int epoll, int fd, uint32_t events);
/* epoll_wait(2) that ends at @deadline, WEIR_FOREVER for never; how many. */
int sys_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t deadline);
/*
 * @fd moved out of the way of programs that count on low numbers; @fd itself where there is no
 * room.
 */
int sys_move_high(int fd);
/* The same of one that was just made, in @ret_fd: 0; or @fd, if that is an error. */
int sys_have_high(int fd, int *ret_fd);
/* A copy of @fd, high where there is room: close-on-exec, or inherited by exec. */
int sys_dup(int fd);
int sys_dup_inheritable(int fd);
/* FD_CLOEXEC or 0; O_NONBLOCK and the others. */
int sys_get_fd_flags(int fd);
int sys_get_file_flags(int fd);
void sys_close(int fd);

/*
 * Sleep while *@word is @expected, until @deadline or a wake. 0: woken, or it was not @expected;
 * -ETIMEDOUT; -EINTR. Shared between processes.
 */
int sys_futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline);
/* Wake up to @count sleepers; how many were. */
int sys_futex_wake(const uint32_t *word, int count);
/* poll(2) that ends at @deadline, WEIR_FOREVER for never. */
int sys_poll(struct pollfd *fds, size_t count, int64_t deadline);
/* io_uring_enter(2), with @arg of @size bytes. */
int sys_uring_enter(int fd, uint32_t submit, uint32_t wait, uint32_t flags, const void *arg,
		    size_t size);
/* An eventfd of which each read takes one of what was written, with one in it. */
int sys_tokens(void);
/* Add one: 0, or an error; not as sys_event_set(). */
int sys_token_add(int fd);
/* Signal an eventfd: who polls it by level or by edge is woken, also if it was full to the brim. */
void sys_event_set(int fd);
/* An edge for all who watch an eventfd, for reading and writing, and no change: 0, or an error. */
int sys_event_edge(int fd);
/* Take the signal of an eventfd; whether there was one. */
bool sys_event_clear(int fd);
/*
 * 0 if @fd is an eventfd that does not block, otherwise -EINVAL or what the kernel said. Leaves an
 * eventfd as it is, and takes nothing out of anything else.
 */
int sys_check_event(int fd);

/*
 * Sockets
 */

/* As many as the kernel passes in one message. */
#define SYS_FDS_MAX	253

/* What came with a message besides its bytes. All descriptors are close-on-exec. */
struct sys_received {
	size_t count;
	int fds[SYS_FDS_MAX];
	bool cut;	/* there was more of it than there was room for */
};

/* 0 if @fd is an AF_UNIX socket, and its type; otherwise -ENOTSOCK, -EINVAL, ... */
int sys_unix_type(int fd, int *ret_type);
/* Without waiting and without SIGPIPE, whatever the mode of the socket; how many bytes. */
int sys_send_fds(int socket, const void *data, size_t size, const int *fds, size_t count);
/* The beginning of the next message, which stays there, without its descriptors. */
int sys_peek(int socket, void *data, size_t size);
int sys_recv_fds(int socket, void *data, size_t size, struct sys_received *ret_received);

/*
 * A lock on byte @offset of @fd, held by this process until it unlocks, closes any descriptor of
 * that file, or ends; a forked child does not have it. -EAGAIN: another process has it.
 */
int sys_lock(int fd, uint64_t offset);
void sys_unlock(int fd, uint64_t offset);

/* The number of this thread; whether one of this process with that number has ended. */
uint32_t sys_thread(void);
bool sys_thread_ended(uint32_t thread);
/* Let others run on this processor. */
void sys_yield(void);
/* A resource limit of this process; UINT64_MAX: there is none. */
uint64_t sys_limit(int resource);

/* Up to @size bytes of the beginning of the file @path; how many. */
int sys_read_file(const char *path, char *buffer, size_t size);

/* A descriptor of process @pid that becomes readable when it has ended; -ESRCH. */
int sys_pidfd(int32_t pid);
/*
 * A number that no other process of this machine ever has, from a descriptor of a process;
 * -EOPNOTSUPP before Linux 6.9.
 */
int sys_pidfd_number(int pidfd, uint64_t *ret_number);
/* The number of the PID namespace that this process, of @pidfd, is in. */
int sys_pid_namespace(int pidfd, uint64_t *ret_number);
/* The number of this process in /proc, which may be that of another PID namespace. */
int sys_proc_self(int32_t *ret_pid);

#endif
