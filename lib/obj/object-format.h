/* SPDX-License-Identifier: MIT */
/* Reading a format: what is next, without blanks and commas. The items are in weir/object.h. */
#ifndef WEIR_OBJ_OBJECT_FORMAT_H
#define WEIR_OBJ_OBJECT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct format {
	const char *at;
};

#define FORMAT_REST	"..."
#define FORMAT_WORD	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-"

/* The integers, with the types that they are passed as: those below int are passed as int. */
struct format_integer {
	char item;
	uint8_t width;
	bool is_signed;
};

static inline const struct format_integer *format_integer(char item)
{
	static const struct format_integer integers[] = {
		{ 'b', 1, true }, { 'h', 2, true }, { 'i', 4, true }, { 'q', 8, true },
		{ 'B', 1, false }, { 'H', 2, false }, { 'I', 4, false }, { 'Q', 8, false },
	};

	for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
		if (integers[i].item == item)
			return &integers[i];
	return NULL;
}

/* The first byte of what is next; 0 at the end. */
static inline char format_peek(struct format *f)
{
	f->at += strspn(f->at, " \t\n,");
	return *f->at;
}

/* Step over @what if it is next. */
static inline bool format_accept(struct format *f, const char *what)
{
	size_t length = strlen(what);

	format_peek(f);
	if (strncmp(f->at, what, length) != 0)
		return false;
	f->at += length;
	return true;
}

/* Step over a key and its colon; false: there is none. */
static inline bool format_key(struct format *f, const char **ret_key, size_t *ret_size)
{
	bool quoted = format_peek(f) == '\'';
	const char *key = f->at + quoted;
	size_t size = quoted ? strcspn(key, "'") : strspn(key, FORMAT_WORD);

	if (quoted ? key[size] != '\'' : size == 0)
		return false;
	f->at = key + size + quoted;
	*ret_key = key;
	*ret_size = size;
	return format_accept(f, ":");
}

#endif
