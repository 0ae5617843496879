/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations on single elements. They take no lock and wait for nobody.
 *
 * An update that was committed and is not in its place yet would be copied over what they do. Its
 * writer is at it, and done in no time, or has died, and then we do it for him; or he is stopped,
 * and then what we do counts as done before.
 */
#include "obj/array.h"

#include <errno.h>
#include <string.h>

#define PENDING_TURNS	64

enum op { OP_EXCHANGE, OP_ADD, OP_AND, OP_OR, OP_XOR };

#define OF_INTEGERS \
	(1U << WEIR_CODE_INT | 1U << WEIR_CODE_UINT | 1U << WEIR_CODE_CHAR)
#define OF_BITS		(OF_INTEGERS | 1U << WEIR_CODE_BOOL)
#define OF_NUMBERS	(OF_INTEGERS | 1U << WEIR_CODE_FLOAT)
#define OF_ALL		(~0U)

static COLD void finish_pending(struct weir_array *a)
{
	struct shared *holder = a->holder;
	bool nested;
	int result;

	if (!holder)
		return;
	for (int i = 0; i < PENDING_TURNS; i++) {
		cpu_relax();
		if (!redo_pending(&a->redo))
			return;
	}
	/* relaxed: whoever it is, his death is looked up */
	shared_mend(holder, LOCK_PARTY(load_relaxed(&holder->lock.state->word)));
	result = array_enter(a, 0, 0, &nested);
	if (result < 0)
		return;
	if (result > 0)
		array_tell_next(a);
	array_leave(a, nested);
}

/* Where the element is, for an operation on types of @classes. */
static ALWAYS_INLINE int find(struct weir_array *a, uint64_t type, int64_t index, unsigned classes,
			      uint8_t **ret_at)
{
	uint64_t from;
	int result = array_locate(a, type, index, 1, &from);

	if (unlikely(result < 0))
		return result;
	if (unlikely(!a->is_atomic || !(classes & 1U << WEIR_TYPE_CODE(a->type))))
		return -EOPNOTSUPP;
	if (unlikely(redo_pending(&a->redo)))
		finish_pending(a);
	*ret_at = a->redo.place + from;
	return 0;
}

/*
 * By size
 */

#define OPERATE(bits, word) \
	static ALWAYS_INLINE void operate_##bits(void *at, enum op op, const void *operand, \
						 void *ret_was) \
	{ \
		uint##bits##_t value, was; \
		memcpy(&value, operand, sizeof(value)); \
		if (op == OP_EXCHANGE) \
			was = xchg_seq((word *)at, value);	/* order: ELEMENT */ \
		else if (op == OP_ADD) \
			was = add_seq((word *)at, value);	/* order: ELEMENT */ \
		else if (op == OP_AND) \
			was = and_seq((word *)at, value);	/* order: ELEMENT */ \
		else if (op == OP_OR) \
			was = or_seq((word *)at, value);	/* order: ELEMENT */ \
		else \
			was = xor_seq((word *)at, value);	/* order: ELEMENT */ \
		if (ret_was) \
			memcpy(ret_was, &was, sizeof(was)); \
	}

OPERATE(8, uint8_t)
OPERATE(16, word_2)
OPERATE(32, word_4)
OPERATE(64, word_8)

/* A number that the processor cannot add to in one go. */
#define ADD_FLOAT(name, number, bits, word) \
	static void name(void *at, const void *operand, void *ret_was) \
	{ \
		uint##bits##_t was = load_relaxed((word *)at);	/* relaxed: see below */ \
		uint##bits##_t becomes; \
		number value, sum; \
		memcpy(&value, operand, sizeof(value)); \
		do { \
			memcpy(&sum, &was, sizeof(sum)); \
			sum += value; \
			memcpy(&becomes, &sum, sizeof(sum)); \
		} while (!cas_seq((word *)at, &was, becomes));	/* order: ELEMENT */ \
		if (ret_was) \
			memcpy(ret_was, &was, sizeof(was)); \
	}

ADD_FLOAT(add_float, float, 32, word_4)
ADD_FLOAT(add_double, double, 64, word_8)

static ALWAYS_INLINE void operate(const struct weir_array *a, uint8_t *at, enum op op,
				  const void *operand, void *ret_was)
{
	if (op == OP_ADD && WEIR_TYPE_CODE(a->type) == WEIR_CODE_FLOAT) {
		if (a->element_size == 8)
			add_double(at, operand, ret_was);
		else
			add_float(at, operand, ret_was);
		return;
	}
	switch (a->element_size) {
	case 8:
		operate_64(at, op, operand, ret_was);
		break;
	case 4:
		operate_32(at, op, operand, ret_was);
		break;
	case 2:
		operate_16(at, op, operand, ret_was);
		break;
	default:
		operate_8(at, op, operand, ret_was);
	}
}

/* If it is watched: with a mark, so that it is counted wherever we die. */
static ALWAYS_INLINE int change(struct weir_array *a, uint64_t type, int64_t index, enum op op,
				unsigned classes, const void *operand, void *ret_was)
{
	bool marked = false;
	uint8_t *at;
	int result;

	if (unlikely(!a || !operand))
		return -EINVAL;
	result = find(a, type, index, classes, &at);
	if (unlikely(result < 0))
		return result;
	if (unlikely(array_is_watched(a)))
		marked = array_mark(a);
	operate(a, at, op, operand, ret_was);
	array_count_change(a, marked);
	return 0;
}

int weir_array_store(struct weir_array *array, uint64_t type, int64_t index, const void *element)
{
	return change(array, type, index, OP_EXCHANGE, OF_ALL, element, NULL);
}

int weir_array_exchange(struct weir_array *array, uint64_t type, int64_t index,
			const void *element, void *ret_was)
{
	return change(array, type, index, OP_EXCHANGE, OF_ALL, element, ret_was);
}

int weir_array_add(struct weir_array *array, uint64_t type, int64_t index, const void *operand,
		   void *ret_was)
{
	return change(array, type, index, OP_ADD, OF_NUMBERS, operand, ret_was);
}

int weir_array_and(struct weir_array *array, uint64_t type, int64_t index, const void *operand,
		   void *ret_was)
{
	return change(array, type, index, OP_AND, OF_BITS, operand, ret_was);
}

int weir_array_or(struct weir_array *array, uint64_t type, int64_t index, const void *operand,
		  void *ret_was)
{
	return change(array, type, index, OP_OR, OF_BITS, operand, ret_was);
}

int weir_array_xor(struct weir_array *array, uint64_t type, int64_t index, const void *operand,
		   void *ret_was)
{
	return change(array, type, index, OP_XOR, OF_BITS, operand, ret_was);
}

/*
 * Compare and exchange
 */

#define COMPARE(bits, word) \
	static bool compare_##bits(void *at, void *expected, const void *element) \
	{ \
		uint##bits##_t was, becomes; \
		memcpy(&was, expected, sizeof(was)); \
		memcpy(&becomes, element, sizeof(becomes)); \
		if (cas_seq((word *)at, &was, becomes))	/* order: ELEMENT */ \
			return true; \
		memcpy(expected, &was, sizeof(was)); \
		return false; \
	}

COMPARE(8, uint8_t)
COMPARE(16, word_2)
COMPARE(32, word_4)
COMPARE(64, word_8)

static bool compare(uint8_t *at, uint64_t size, void *expected, const void *element)
{
	switch (size) {
	case 8:
		return compare_64(at, expected, element);
	case 4:
		return compare_32(at, expected, element);
	case 2:
		return compare_16(at, expected, element);
	default:
		return compare_8(at, expected, element);
	}
}

int weir_array_compare_exchange(struct weir_array *array, uint64_t type, int64_t index,
				void *expected, const void *element)
{
	bool marked = false;
	uint8_t *at;
	int result;

	if (unlikely(!array || !expected || !element))
		return -EINVAL;
	result = find(array, type, index, OF_ALL, &at);
	if (unlikely(result < 0))
		return result;
	if (unlikely(array_is_watched(array)))
		marked = array_mark(array);
	if (!compare(at, array->element_size, expected, element)) {
		/* There is nothing to be counted. */
		if (marked)
			array_unmark(array);
		return -ECANCELED;
	}
	array_count_change(array, marked);
	return 0;
}

/*
 * Load
 */

#define LOAD(bits, word) \
	static ALWAYS_INLINE void load_##bits(const void *at, void *ret) \
	{ \
		uint##bits##_t value = load_seq((const word *)at);	/* order: ELEMENT */ \
		memcpy(ret, &value, sizeof(value)); \
	}

LOAD(8, uint8_t)
LOAD(16, word_2)
LOAD(32, word_4)
LOAD(64, word_8)

static ALWAYS_INLINE void load(const void *at, uint64_t size, void *ret)
{
	switch (size) {
	case 8:
		load_64(at, ret);
		break;
	case 4:
		load_32(at, ret);
		break;
	case 2:
		load_16(at, ret);
		break;
	default:
		load_8(at, ret);
	}
}

/* An update counts that is not in its place: what it says is what there is. */
static COLD int load_pending(const struct weir_array *a, const uint8_t *at, void *ret)
{
	uint64_t from = (uint64_t)(at - a->redo.place);

	for (int i = 0; i < PENDING_TURNS; i++) {
		int result = redo_read(&a->redo, from, a->element_size, ret);

		if (result != -EAGAIN)
			return result;
	}
	/* One update after another: each of them was the last one once while we looked. */
	load(at, a->element_size, ret);
	return 0;
}

int weir_array_load(struct weir_array *array, uint64_t type, int64_t index, void *ret_element)
{
	uint64_t from;
	int result;

	if (unlikely(!array || !ret_element))
		return -EINVAL;
	result = array_locate(array, type, index, 1, &from);
	if (unlikely(result < 0))
		return result;
	if (unlikely(!array->is_atomic))
		return -EOPNOTSUPP;
	if (unlikely(redo_pending(&array->redo)))
		return load_pending(array, array->redo.place + from, ret_element);
	load(array->redo.place + from, array->element_size, ret_element);
	return 0;
}
