/* SPDX-License-Identifier: MIT */
/* UTF-8, as RFC 3629 has it: no surrogates, nothing longer than it need be, up to U+10FFFF. */
#ifndef WEIR_OBJ_UTF8_H
#define WEIR_OBJ_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of the character at @text, of which @size are there, at least one; 0: it is none. */
static inline size_t utf8_length(const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	/* The second byte's range depends on the first; the later ones have no choice. */
	uint8_t first = bytes[0], least = 0x80, most = 0xbf;
	size_t length;

	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first == 0xe0)
		least = 0xa0;
	else if (first == 0xed)
		most = 0x9f;
	else if (first == 0xf0)
		least = 0x90;
	else if (first == 0xf4)
		most = 0x8f;
	if (size < length || bytes[1] < least || bytes[1] > most)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return 0;
	return length;
}

static inline bool utf8_valid(const char *text, size_t size)
{
	size_t length;

	while (size > 0) {
		length = utf8_length(text, size);
		if (length == 0)
			return false;
		text += length;
		size -= length;
	}
	return true;
}

#endif
