/* SPDX-License-Identifier: MIT */
/* Numbers are decimal and unsigned; a sign, a blank or rubbish behind them is an error. */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_MAX UINT64_C(1000000000)
#define ITEM_MAX 64	/* the longest item of a LIST */

static int wrong(char *why, const char *text, const char *reason)
{
	snprintf(why, PARSE_WHY, "'%.64s' %s", text, reason);
	return -EINVAL;
}

/* Digits, then @rest: whatever follows them. */
static int digits(const char *text, uint64_t *ret, const char **rest, char *why)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return wrong(why, text, "is not a number");
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno == ERANGE || *ret > INT64_MAX)
		return wrong(why, text, "is too large");
	*rest = end;
	return 0;
}

/* The power of a K, M or G; -1 for anything else. */
static int suffix_power(const char *suffix)
{
	static const char letters[] = "KMG";
	const char *found;

	if (suffix[0] == '\0')
		return 0;
	found = strchr(letters, toupper((unsigned char)suffix[0]));
	if (!found || suffix[1] != '\0')
		return -1;
	return (int)(found - letters) + 1;
}

static int scaled(const char *text, uint64_t base, uint64_t *ret, char *why)
{
	const char *rest;
	uint64_t value;
	int power;
	int r;

	r = digits(text, &value, &rest, why);
	if (r < 0)
		return r;
	power = suffix_power(rest);
	if (power < 0)
		return wrong(why, text, "is not a number with K, M or G behind it at most");
	for (; power > 0; power--)
		if (__builtin_mul_overflow(value, base, &value))
			return wrong(why, text, "is too large");
	*ret = value;
	return 0;
}

int parse_size(const char *text, uint64_t *ret, char *why)
{
	int r = scaled(text, 1024, ret, why);

	if (r == 0 && *ret < 8)
		return wrong(why, text, "is less than 8 bytes");
	if (r == 0 && *ret > UINT64_C(1) << 40)
		return wrong(why, text, "is more than 1 TiB");
	return r;
}

int parse_rate(const char *text, uint64_t *ret, char *why)
{
	int r = scaled(text, 1000, ret, why);

	if (r == 0 && *ret < 1)
		return wrong(why, text, "is less than 1 a second");
	if (r == 0 && *ret > UINT64_C(1000000000))
		return wrong(why, text, "is more than 1 G a second");
	return r;
}

int parse_number(const char *text, uint64_t *ret, char *why)
{
	const char *rest;
	int r = digits(text, ret, &rest, why);

	if (r == 0 && *rest != '\0')
		return wrong(why, text, "is not a number");
	return r;
}

int parse_ns(const char *text, uint64_t *ret, char *why)
{
	int r = parse_number(text, ret, why);

	if (r == 0 && *ret > NS_MAX)
		return wrong(why, text, "is more than a second");
	return r;
}

int parse_count(const char *text, uint64_t *ret, char *why)
{
	int r = parse_number(text, ret, why);

	if (r == 0 && *ret < 1)
		return wrong(why, text, "is less than 1");
	return r;
}

int parse_active(const char *text, uint64_t *ret, char *why)
{
	if (strcmp(text, "all") != 0)
		return parse_count(text, ret, why);
	*ret = 0;
	return 0;
}

int parse_seconds(const char *text, double *ret, char *why)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return wrong(why, text, "is not a number of seconds");
	*ret = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(*ret))
		return wrong(why, text, "is not a number of seconds");
	if (*ret > 86400)
		return wrong(why, text, "is more than a day");
	return 0;
}

void list_set(struct list *list, uint64_t item)
{
	list->count = 1;
	list->item[0] = item;
}

static bool list_has(const struct list *list, uint64_t item)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->item[i] == item)
			return true;
	return false;
}

static int list_add(struct list *list, uint64_t item, const char *text, char *why)
{
	if (list->count == LIST_MAX)
		return wrong(why, text, "is one item too many");
	list->item[list->count++] = item;
	return 0;
}

/* Copy the item at @text into @word; returns where the next one begins, NULL after the last. */
static const char *next_item(const char *text, char word[ITEM_MAX])
{
	size_t length = strcspn(text, ",");

	snprintf(word, ITEM_MAX, "%.*s", (int)length, text);
	return text[length] == ',' ? text + length + 1 : NULL;
}

int parse_list(const char *text, parse_item *item, struct list *ret, char *why)
{
	struct list list = { 0 };
	char word[ITEM_MAX];
	uint64_t value;
	int r;

	for (const char *next = text; next;) {
		next = next_item(next, word);
		r = item(word, &value, why);
		if (r == 0 && !list_has(&list, value))
			r = list_add(&list, value, word, why);
		if (r < 0)
			return r;
	}
	*ret = list;
	return 0;
}

static void list_words(const char *const *words, struct list *list)
{
	for (size_t i = 0; words[i]; i++)
		if (!list_has(list, i))
			list->item[list->count++] = i;
}

static int unknown_word(const char *word, const char *const *words, char *why)
{
	size_t used = (size_t)snprintf(why, PARSE_WHY, "unknown '%.40s'; known are", word);

	for (size_t i = 0; words[i] && used < PARSE_WHY; i++)
		used += (size_t)snprintf(why + used, PARSE_WHY - used, " %s", words[i]);
	return -EINVAL;
}

int parse_words(const char *text, const char *const *words, struct list *ret, char *why)
{
	struct list list = { 0 };
	char word[ITEM_MAX];
	size_t i;

	for (const char *next = text; next;) {
		next = next_item(next, word);
		if (strcmp(word, "all") == 0) {
			list_words(words, &list);
			continue;
		}
		for (i = 0; words[i] && strcmp(words[i], word) != 0; i++)
			;
		if (!words[i])
			return unknown_word(word, words, why);
		if (!list_has(&list, i))
			list.item[list.count++] = i;
	}
	*ret = list;
	return 0;
}

/* One CPU or one range of them. */
static int add_cpus(const char *word, struct list *list, char *why)
{
	uint64_t first, last;
	const char *rest;
	int r;

	r = digits(word, &first, &rest, why);
	last = first;
	if (r == 0 && *rest == '-')
		r = digits(rest + 1, &last, &rest, why);
	if (r < 0)
		return r;
	if (*rest != '\0' || last < first)
		return wrong(why, word, "is not a CPU or a range of CPUs");
	for (uint64_t cpu = first; cpu <= last && r == 0; cpu++)
		r = list_add(list, cpu, word, why);
	return r;
}

int parse_cpus(const char *text, struct list *ret, char *why)
{
	struct list list = { 0 };
	char word[ITEM_MAX];
	int r;

	for (const char *next = text; next;) {
		next = next_item(next, word);
		r = add_cpus(word, &list, why);
		if (r < 0)
			return r;
	}
	*ret = list;
	return 0;
}
