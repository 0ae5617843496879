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

/* An item that is one letter. */
struct format_item {
	bool is_known;
	bool is_view;		/* unpacked, it points into the object */
	bool is_signed;		/* integers: */
	uint8_t width;		/* bytes */
};

static inline const struct format_item *format_item(char letter)
{
	static const struct format_item items[128] = {
		['n'] = { true, false, false, 0 }, ['?'] = { true, false, false, 0 },
		['b'] = { true, false, true, 1 },  ['B'] = { true, false, false, 1 },
		['h'] = { true, false, true, 2 },  ['H'] = { true, false, false, 2 },
		['i'] = { true, false, true, 4 },  ['I'] = { true, false, false, 4 },
		['q'] = { true, false, true, 8 },  ['Q'] = { true, false, false, 8 },
		['f'] = { true, false, false, 0 }, ['d'] = { true, false, false, 0 },
		['s'] = { true, true, false, 0 },  ['z'] = { true, true, false, 0 },
		['S'] = { true, true, false, 0 },  ['y'] = { true, true, false, 0 },
		['c'] = { true, false, false, 0 }, ['t'] = { true, false, false, 0 },
		['o'] = { true, true, false, 0 },  ['*'] = { true, false, false, 0 },
	};
	unsigned char index = (unsigned char)letter;

	return &items[index < 128 ? index : 0];
}

/* The first byte of what is next; 0 at the end. */
static inline char format_peek(struct format *f)
{
	/* strspn() would build a table each time: half of the time that unpacking takes. */
	while (*f->at == ' ' || *f->at == ',' || *f->at == '\t' || *f->at == '\n')
		f->at++;
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
