/* SPDX-License-Identifier: MIT */
/*
 * Objects: values with types, in MessagePack, that any message can carry.
 *
 *	weir_pipe_sendf(ends[1], 0, WEIR_FOREVER, "[i n s]", 42, "hello");
 *
 *	weir_pipe_recv_object(ends[0], 0, 0, WEIR_FOREVER, &list);
 *	weir_object_print(list, stdout, 0);		[42, null, "hello"]
 *	weir_object_unpack(list, "[i n s]", &number, &text);
 *	weir_object_free(list);
 *
 * An object is a value: nil, a bool, an integer, a double, a string, binary data, a value of an
 * extension, or an array or a map of objects. It never changes, so any number of threads may read
 * it. What the calls below return is inside of it, strings too: it lives until weir_object_free()
 * of the whole. Those that take an object take one that is inside another as well, and all but
 * weir_object_free() say for NULL that there is none (-ENOENT), so that a chain of them needs one
 * check at its end.
 *
 * What is received is input. Nothing is allocated for elements that cannot be there, nesting has a
 * limit, and bytes left over are an error. A string may hold any bytes: whether it is UTF-8 is the
 * receiver's to check; weir sends UTF-8 only.
 *
 * The format of the calls with arguments, item by item; blanks and commas count for nothing:
 *
 *	item	value		argument to pack	argument to unpack
 *	n	nil
 *	?	bool		int			bool *
 *	b h i	integer		int			int8_t *, int16_t *, int *
 *	B H I	integer		unsigned int		uint8_t *, uint16_t *, unsigned int *
 *	q Q	integer		int64_t, uint64_t	int64_t *, uint64_t *
 *	f d	double		double			float *, double *
 *	s	string		const char *		const char **
 *	z	string or nil	const char *, or NULL	const char **
 *	S	string		const char *, size_t	const char **, size_t *
 *	c	string		const char *, size_t	char *, size_t: copied, with a NUL
 *	y	binary		const void *, size_t	const void **, size_t *
 *	t	timestamp	const struct timespec *	struct timespec *
 *	o	any		const struct weir_object *	const struct weir_object **
 *	*	any				nothing: stepped over
 *	[...]	array		its items		its items
 *	{...}	map		key: item, key: item	the same, in any order
 *
 * A key is a word of letters, digits and _ . / - or anything in '', and stands in the format
 * itself. To unpack: what follows a | in an array or a map need not be there, and its arguments are
 * left as they were; ... at the end of an array allows for further elements. Other keys in a map
 * are stepped over. An argument of NULL is checked and not stored. All is stored, or, if something
 * does not match, nothing.
 *
 * A library that was built without MessagePack returns -ENOSYS from all that makes, sends or
 * receives an object.
 */
#ifndef WEIR_OBJECT_H
#define WEIR_OBJECT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <weir/base.h>
#include <weir/pipe.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which time.h of C99 alone has not. */
struct timespec;

/** A value. Opaque, and constant; the whole is freed by weir_object_free(). */
struct weir_object;

/** How deep arrays and maps may be inside each other, with the outermost. */
#define WEIR_OBJECT_DEPTH	32
/** The bytes of a message that a receive accepts when it does not say: 64 MiB. */
#define WEIR_OBJECT_LIMIT	(UINT64_C(64) << 20)

/* The types, as weir_object_type() returns them. */
#define WEIR_OBJECT_NIL		0
#define WEIR_OBJECT_BOOL	1
#define WEIR_OBJECT_INT		2	/**< of 64 bits, with or without a sign */
#define WEIR_OBJECT_DOUBLE	3	/**< also what was sent as a float */
#define WEIR_OBJECT_STRING	4
#define WEIR_OBJECT_BINARY	5
#define WEIR_OBJECT_ARRAY	6
#define WEIR_OBJECT_MAP		7
#define WEIR_OBJECT_EXT		8	/**< an extension; a timestamp is one */

/* Flags of the calls that print. */

/** As Python writes it: [42, None, 'hello']. */
#define WEIR_OBJECT_PYTHON	(UINT32_C(1) << 0)

/**
 * Make an object of the @size bytes at @data, which are copied.
 *
 * The object belongs to the caller, who frees it with weir_object_free(). Takes memory for the
 * bytes and 24 bytes for each element, key and value in it. Any thread. Does not block.
 *
 * Returns 0, or -EPROTO: the bytes are not one whole object, and that alone, or it is nested deeper
 * than WEIR_OBJECT_DEPTH; -ENOMEM, -EINVAL, -ENOSYS.
 */
WEIR_PUBLIC int weir_object_decode(const void *data, size_t size, struct weir_object **ret_object);

/** Free the whole object, as it was returned; NULL is allowed. */
WEIR_PUBLIC void weir_object_free(struct weir_object *object);

/** The type, WEIR_OBJECT_*; or -ENOENT. Does not block, as all that only read. */
WEIR_PUBLIC int weir_object_type(const struct weir_object *object);

/*
 * The value of a scalar. 0, or -EPROTO: it is of another type; -ERANGE: the number does not fit;
 * -ENOENT: there is no object; -EINVAL. Any ret_ but the first may be NULL.
 */
WEIR_PUBLIC int weir_object_get_bool(const struct weir_object *object, bool *ret_value);
WEIR_PUBLIC int weir_object_get_int(const struct weir_object *object, int64_t *ret_value);
WEIR_PUBLIC int weir_object_get_uint(const struct weir_object *object, uint64_t *ret_value);
/** An integer will do, if a double can hold it: some languages have but one type of numbers. */
WEIR_PUBLIC int weir_object_get_double(const struct weir_object *object, double *ret_value);
/** A NUL follows the @ret_size bytes, and there may be others among them. */
WEIR_PUBLIC int weir_object_get_string(const struct weir_object *object, const char **ret_text,
				       size_t *ret_size);
WEIR_PUBLIC int weir_object_get_binary(const struct weir_object *object, const void **ret_data,
				       size_t *ret_size);
/** @ret_number	of the extension, -128 to 127; those below 0 are MessagePack's own */
WEIR_PUBLIC int weir_object_get_ext(const struct weir_object *object, int *ret_number,
				    const void **ret_data, size_t *ret_size);
/** A point in time since 1970, which is the extension of number -1. */
WEIR_PUBLIC int weir_object_get_time(const struct weir_object *object, struct timespec *ret_time);

/** How many elements the array has, or pairs the map; 0 for all others. */
WEIR_PUBLIC size_t weir_object_count(const struct weir_object *object);
/** Element @index of the array, counted from 0, or the value of that pair of the map; or NULL. */
WEIR_PUBLIC const struct weir_object *weir_object_at(const struct weir_object *object,
						     size_t index);
/** The key of pair @index of the map; or NULL. */
WEIR_PUBLIC const struct weir_object *weir_object_key(const struct weir_object *object,
						      size_t index);
/** The value of the string @key in the map, the last if there are several; or NULL. */
WEIR_PUBLIC const struct weir_object *weir_object_get(const struct weir_object *object,
						      const char *key);

/**
 * Make an object of arguments.
 *
 * @format	one item; see above
 * Otherwise as weir_object_decode(). Returns 0, or -EINVAL: not a format, a string or object of
 * NULL, a time that is none; -EILSEQ: a string is not UTF-8; -ERANGE: an integer is not in the
 * range of its item; -EMSGSIZE: a string of 4 GiB; -ENOMEM, -ENOSYS.
 */
WEIR_PUBLIC int weir_object_pack(struct weir_object **ret_object, const char *format, ...);
WEIR_PUBLIC int weir_object_vpack(struct weir_object **ret_object, const char *format,
				  va_list arguments);

/**
 * Take an object apart.
 *
 * @format	one item; see above
 * Returns 0, or what the first item that does not match says: -EPROTO: another type, more
 * elements, a NUL inside of an s, z or c; -ENOENT: no such element or key; -ERANGE: the number does
 * not fit; -EMSGSIZE: the text does not fit a c. Or -EINVAL: not a format.
 */
WEIR_PUBLIC int weir_object_unpack(const struct weir_object *object, const char *format, ...);
WEIR_PUBLIC int weir_object_vunpack(const struct weir_object *object, const char *format,
				    va_list arguments);

/**
 * Whether weir_object_unpack() would match; without arguments, so that no c is too small.
 *
 * @object	NULL: only whether @format is one
 * @ret_position	set on failure: where in @format the item is that does not match; or NULL
 * Returns what weir_object_unpack() would.
 */
WEIR_PUBLIC int weir_object_match(const struct weir_object *object, const char *format,
				  size_t *ret_position);

/**
 * Write the object as text, in one line without an end: as JSON, or as Python with
 * WEIR_OBJECT_PYTHON.
 *
 * Binary data, extensions, bytes that are not UTF-8, and keys that are no strings have no place in
 * JSON and are written in a way that a human understands. Returns 0, or -EIO (@file took no more),
 * -ENOENT, -EINVAL.
 */
WEIR_PUBLIC int weir_object_print(const struct weir_object *object, FILE *file, uint32_t flags);

/**
 * The same into @buffer, of @size bytes with the NUL that is always written unless @size is 0.
 *
 * @ret_size	bytes of the whole text, without the NUL, also if it does not fit; may be NULL
 * Returns 0, or -EMSGSIZE: as much is there as fits; -ENOENT, -EINVAL.
 */
WEIR_PUBLIC int weir_object_text(const struct weir_object *object, char *buffer, size_t size,
				 uint32_t flags, size_t *ret_size);

/**
 * Send one message that is the object.
 *
 * Flags, deadline, who may call, and errors are those of weir_pipe_send(); and -ENOENT: @object is
 * NULL; -ENOMEM, -ENOSYS.
 */
WEIR_PUBLIC int weir_pipe_send_object(struct weir_end *end, const struct weir_object *object,
				      uint32_t flags, int64_t deadline);

/**
 * Receive one message and make an object of it.
 *
 * @limit	the bytes it may have; 0 is WEIR_OBJECT_LIMIT
 * Flags, deadline, who may call, and errors are those of weir_pipe_recv(), where -EMSGSIZE means
 * that it has more than @limit, and is still there, or was refused by weir_pipe_limit(); and
 * -EPROTO: the message is not one object, and has been received, so that the next call gets the
 * next one; -ENOMSG: a handle comes next, and is still there; -ENOMEM: it is still there if there
 * is no memory for its bytes, and has been received if there is none for its elements; -ENOSYS. The
 * object is freed by the caller.
 */
WEIR_PUBLIC int weir_pipe_recv_object(struct weir_end *end, size_t limit, uint32_t flags,
				      int64_t deadline, struct weir_object **ret_object);

/**
 * Send one message that is an object made of arguments.
 *
 * Errors are those of weir_object_pack() and weir_pipe_send().
 */
WEIR_PUBLIC int weir_pipe_sendf(struct weir_end *end, uint32_t flags, int64_t deadline,
				const char *format, ...);
WEIR_PUBLIC int weir_pipe_vsendf(struct weir_end *end, uint32_t flags, int64_t deadline,
				 const char *format, va_list arguments);

/**
 * Receive one message and take it apart.
 *
 * @ret_object	the object, to be freed by the caller: s, z, S, y and o point into it; NULL if the
 *		format has none of these
 * Errors are those of weir_pipe_recv_object() and weir_object_unpack(). A message that does not
 * match has been received. Nothing is received if @format is not one, or has an item that needs
 * @ret_object: -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_recvf(struct weir_end *end, uint32_t flags, int64_t deadline,
				struct weir_object **ret_object, const char *format, ...);
WEIR_PUBLIC int weir_pipe_vrecvf(struct weir_end *end, uint32_t flags, int64_t deadline,
				 struct weir_object **ret_object, const char *format,
				 va_list arguments);

#ifdef __cplusplus
}
#endif

#endif
