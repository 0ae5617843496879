/* SPDX-License-Identifier: MIT */
/*
 * A pipe that harms one message, for the self-test: what the tool says about it is known
 * beforehand.
 */
#ifndef IPC_BENCH_HARM_H
#define IPC_BENCH_HARM_H

#include "mech.h"

#define HARM_SIZE 64	/* of all messages */

int harm_create(struct link *link, char why[MECH_WHY]);
int harm_send(struct port *port, const void *message);
int harm_recv(struct port *port, void *message);

#endif
