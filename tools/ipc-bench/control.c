/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <unistd.h>

static struct control *map(int fd)
{
	void *p = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct control *control_create(int *ret_fd)
{
	int fd = memfd_create("ipc-bench", MFD_CLOEXEC);
	struct control *control = NULL;

	if (fd >= 0 && ftruncate(fd, sizeof(struct control)) == 0)
		control = map(fd);
	if (!control) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	control_clear(control);
	*ret_fd = fd;
	return control;
}

struct control *control_attach(int fd)
{
	return map(fd);
}

void control_clear(struct control *control)
{
	memset(control, 0, sizeof(*control));
	for (int i = 0; i < 2 * LEFTOVERS; i++)
		control->leftovers[i / LEFTOVERS].msgid[i % LEFTOVERS] = -1;
}

static void sweep(struct leftovers *leftovers)
{
	for (int i = 0; i < LEFTOVERS; i++) {
		if (leftovers->msgid[i] >= 0)
			msgctl(leftovers->msgid[i], IPC_RMID, NULL);
		leftovers->msgid[i] = -1;
	}
	if (leftovers->file[0])
		unlink(leftovers->file);
	leftovers->file[0] = '\0';
}

void control_sweep(struct control *control)
{
	for (int i = 0; i < 2; i++)
		sweep(&control->leftovers[i]);
}
