/* SPDX-License-Identifier: MIT */
/*
 * Threads over one memory: whoever reads while others write, in turns, has a true copy or is told
 * that he has not.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ring/redo.h"

#define WORDS_N		24
#define WRITERS		2
#define READERS		2
#define UPDATES		20000

static struct weir_redo redo_log;
static uint64_t place[WORDS_N], shadow[WORDS_N];
static const struct redo redo = {
	&redo_log, (uint8_t *)place, (uint8_t *)shadow, sizeof(place)
};
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static uint32_t stop;

/* All words are one number but the first, which is how often there was an update of a part. */
static void *write_all(void *arg)
{
	uint64_t words[WORDS_N];

	for (uint64_t i = 1; i <= UPDATES; i++) {
		pthread_mutex_lock(&turn);
		if (i % 3 == 0) {
			/* Two halves, that together are as before. */
			words[0] = load_relaxed(&place[0]) + 1;	/* relaxed: a test */
			redo_write(&redo, 0, sizeof(*words), words);
		} else {
			words[0] = load_relaxed(&place[0]);	/* relaxed: a test */
			for (size_t w = 1; w < WORDS_N; w++)
				words[w] = i;
			redo_write(&redo, 0, sizeof(words), words);
		}
		pthread_mutex_unlock(&turn);
	}
	return arg;
}

static int check_copy(const uint64_t *words, uint64_t *parts)
{
	for (size_t w = 2; w < WORDS_N; w++)
		if (words[w] != words[1])
			return 1;
	if (words[0] < *parts)
		return 2;
	*parts = words[0];
	return 0;
}

static void *read_all(void *arg)
{
	uint64_t words[WORDS_N], parts = 0, copies = 0;

	while (!load_acquire(&stop)) {
		int result = redo_read(&redo, 0, sizeof(words), words);

		if (result == 0) {
			copies++;
			if (check_copy(words, &parts) != 0)
				return (void *)(intptr_t)check_copy(words, &parts);
		} else if (result != -EAGAIN) {
			return (void *)(intptr_t)3;
		}
	}
	*(uint64_t *)arg = copies;
	return NULL;
}

START_TEST(no_copy_is_torn)
{
	pthread_t writers[WRITERS], readers[READERS];
	uint64_t copies[READERS] = { 0 };
	void *result;

	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_all, &copies[i]), 0);
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&writers[i], NULL, write_all, NULL), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	store_release(&stop, 1);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i], &result);
		ck_assert_ptr_null(result);
		printf("# %llu copies\n", (unsigned long long)copies[i]);
	}
	ck_assert_uint_eq(redo_version(&redo), 2 * WRITERS * UPDATES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redo");
	TCase *tcase = tcase_create("redo");

	tcase_add_test(tcase, no_copy_is_torn);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
