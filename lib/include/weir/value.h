/* SPDX-License-Identifier: MIT */
/*
 * A value in memory that processes share: a number or a structure.
 *
 *	struct weir_value_options options = {
 *		.size = sizeof(options),
 *		.type = WEIR_TYPE_DOUBLE,
 *	};
 *	weir_value(&value, &options);
 *	if (fork() == 0) {
 *		double number = 3.1415927;
 *		WEIR_VALUE_SET(value, &number, 0, WEIR_FOREVER);
 *		_exit(0);
 *	}
 *
 * It is an array of one element; weir/array.h tells about updates and atomic operations, the lock,
 * types, changes, and who has it. Each function here is the one there of its name, without an
 * index, and returns the same.
 */
#ifndef WEIR_VALUE_H
#define WEIR_VALUE_H

#include <weir/base.h>
#include <weir/lock.h>
#include <weir/type.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A value. Opaque; made by weir_value(), freed by weir_value_close(). */
struct weir_value;

/** Of the options: without a lock, and without updates that are whole. */
#define WEIR_VALUE_RAW		(UINT32_C(1) << 0)

/** How to make a value. Zero all that you do not set. */
struct weir_value_options {
	size_t size;		/**< sizeof(struct weir_value_options) */
	uint32_t flags;		/**< WEIR_VALUE_RAW */
	uint32_t reserved;	/**< 0 */
	uint64_t type;		/**< weir/type.h */
	const void *initial;	/**< what it is at first; NULL: all zero */
	struct weir_lock *lock;	/**< NULL: a recursive one of its own */
};

/** Make a value: as weir_array(). */
WEIR_PUBLIC int weir_value(struct weir_value **ret_value, const struct weir_value_options *options);

/** Whether a value that came from elsewhere is of @type: as weir_array_check(). */
WEIR_PUBLIC int weir_value_check(struct weir_value *value, uint64_t type);

/** The number of its type; 0: @value is NULL. */
WEIR_PUBLIC uint64_t weir_value_type(struct weir_value *value);

/** Take its lock: as weir_array_acquire(). */
WEIR_PUBLIC int weir_value_acquire(struct weir_value *value, uint32_t flags, int64_t deadline);

/** Give it back: as weir_array_release(). */
WEIR_PUBLIC int weir_value_release(struct weir_value *value);

/** Its lock: as weir_array_lock(). */
WEIR_PUBLIC struct weir_lock *weir_value_lock(struct weir_value *value);

/** Use another handle of the same lock: as weir_array_use_lock(). */
WEIR_PUBLIC int weir_value_use_lock(struct weir_value *value, struct weir_lock *lock);

/** Read it, never torn: as weir_array_get(). */
WEIR_PUBLIC int weir_value_get(struct weir_value *value, uint64_t type, void *ret_data,
			       uint32_t flags, int64_t deadline);

/** Update it, all or nothing: as weir_array_set(). */
WEIR_PUBLIC int weir_value_set(struct weir_value *value, uint64_t type, const void *data,
			       uint32_t flags, int64_t deadline);

/** Begin an update of a copy: as weir_array_begin(). */
WEIR_PUBLIC int weir_value_begin(struct weir_value *value, uint64_t type, uint32_t flags,
				 int64_t deadline, void **ret_data);

/** Make the update that was begun: as weir_array_commit(). */
WEIR_PUBLIC int weir_value_commit(struct weir_value *value);

/** Drop the update that was begun: as weir_array_cancel(). */
WEIR_PUBLIC int weir_value_cancel(struct weir_value *value);

/** Begin, call @edit, which gets a count of 1, and commit: as weir_array_edit(). */
WEIR_PUBLIC int weir_value_edit(struct weir_value *value, uint64_t type,
				int (*edit)(void *data, uint64_t count, void *arg), void *arg,
				uint32_t flags, int64_t deadline);

/** Without the lock: as weir_array_load(). */
WEIR_PUBLIC int weir_value_load(struct weir_value *value, uint64_t type, void *ret_data);
/** As weir_array_store(). */
WEIR_PUBLIC int weir_value_store(struct weir_value *value, uint64_t type, const void *data);
/** As weir_array_exchange(). */
WEIR_PUBLIC int weir_value_exchange(struct weir_value *value, uint64_t type, const void *data,
				    void *ret_was);
/** As weir_array_compare_exchange(). */
WEIR_PUBLIC int weir_value_compare_exchange(struct weir_value *value, uint64_t type, void *expected,
					    const void *data);
/** As weir_array_add(). */
WEIR_PUBLIC int weir_value_add(struct weir_value *value, uint64_t type, const void *operand,
			       void *ret_was);
/** As weir_array_and(). */
WEIR_PUBLIC int weir_value_and(struct weir_value *value, uint64_t type, const void *operand,
			       void *ret_was);
/** As weir_array_or(). */
WEIR_PUBLIC int weir_value_or(struct weir_value *value, uint64_t type, const void *operand,
			      void *ret_was);
/** As weir_array_xor(). */
WEIR_PUBLIC int weir_value_xor(struct weir_value *value, uint64_t type, const void *operand,
			       void *ret_was);

/** The bytes themselves: as weir_array_data(). */
WEIR_PUBLIC void *weir_value_data(struct weir_value *value);

/** How many changes there have been: as weir_array_changes(). */
WEIR_PUBLIC int weir_value_changes(struct weir_value *value, uint64_t *ret_changes);

/** Wait for another change: as weir_array_wait(). */
WEIR_PUBLIC int weir_value_wait(struct weir_value *value, uint64_t seen, uint32_t flags,
				int64_t deadline, uint64_t *ret_changes);

/** Free this process's handle: as weir_array_close(). NULL is allowed. */
WEIR_PUBLIC void weir_value_close(struct weir_value *value);

/* The same with the type of what a pointer points to: as in weir/array.h. */
#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define WEIR_VALUE_GET(value, ret, flags, deadline) \
	weir_value_get(value, WEIR_TYPE(*(ret)), ret, flags, deadline)
#define WEIR_VALUE_SET(value, data, flags, deadline) \
	weir_value_set(value, WEIR_TYPE(*(data)), data, flags, deadline)
#define WEIR_VALUE_LOAD(value, ret) \
	weir_value_load(value, WEIR_TYPE(*(ret)), ret)
#define WEIR_VALUE_STORE(value, data) \
	weir_value_store(value, WEIR_TYPE(*(data)), data)
#define WEIR_VALUE_EXCHANGE(value, data, ret) \
	weir_value_exchange(value, WEIR_TYPE_BOTH(data, ret), data, ret)
#define WEIR_VALUE_COMPARE_EXCHANGE(value, expected, data) \
	weir_value_compare_exchange(value, WEIR_TYPE_BOTH(expected, data), expected, data)
#define WEIR_VALUE_ADD(value, operand, ret) \
	weir_value_add(value, WEIR_TYPE_BOTH(operand, ret), operand, ret)
#define WEIR_VALUE_AND(value, operand, ret) \
	weir_value_and(value, WEIR_TYPE_BOTH(operand, ret), operand, ret)
#define WEIR_VALUE_OR(value, operand, ret) \
	weir_value_or(value, WEIR_TYPE_BOTH(operand, ret), operand, ret)
#define WEIR_VALUE_XOR(value, operand, ret) \
	weir_value_xor(value, WEIR_TYPE_BOTH(operand, ret), operand, ret)
#endif

#ifdef __cplusplus
}
#endif

#endif
