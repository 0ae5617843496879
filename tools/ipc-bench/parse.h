/* SPDX-License-Identifier: MIT */
/*
 * From the words of a command line to numbers.
 *
 * Every function returns 0, or -EINVAL with a sentence in @why (PARSE_WHY bytes) that names what
 * is wrong; the caller puts the option's name before it.
 */
#ifndef IPC_BENCH_PARSE_H
#define IPC_BENCH_PARSE_H

#include <stddef.h>
#include <stdint.h>

#define PARSE_WHY	400
#define LIST_MAX	64

/* A LIST of the command line: numbers, or the positions of words in their table. */
struct list {
	size_t count;
	uint64_t item[LIST_MAX];
};

/* One item of a LIST. */
typedef int parse_item(const char *text, uint64_t *ret, char *why);

/* K M G = 1024^n; sizes of messages and of capacities, at least 8. */
parse_item parse_size;

/* K M G = 1000^n; a rate per second, at least 1. */
parse_item parse_rate;

/* A plain count, at least 1. */
parse_item parse_count;

/* The same, or the word "all", which is 0. */
parse_item parse_active;

/* Any number. */
parse_item parse_number;

/* Nanoseconds, a second at the most. */
parse_item parse_ns;

/* Seconds as a decimal fraction, not negative. */
int parse_seconds(const char *text, double *ret, char *why);

/* Comma-separated items; replaces what @ret held. An item given twice counts once. */
int parse_list(const char *text, parse_item *item, struct list *ret, char *why);

/* Comma-separated words of @words (NULL at the end), or "all" for every one of them. */
int parse_words(const char *text, const char *const *words, struct list *ret, char *why);

/* CPU numbers and ranges: 0,2-3. Order and repetition matter and are kept. */
int parse_cpus(const char *text, struct list *ret, char *why);

/* Make a list of one item. */
void list_set(struct list *list, uint64_t item);

#endif
