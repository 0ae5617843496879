/* SPDX-License-Identifier: MIT */
/*
 * A number and an array that two processes share: the child changes both, the parent prints them.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define COUNT 10

static int change(struct weir_value *num, struct weir_array *arr)
{
	double pi = 3.1415927;
	int number, result = WEIR_VALUE_SET(num, &pi, 0, WEIR_FOREVER);

	for (int i = 0; result == 0 && i < COUNT; i++) {
		result = WEIR_ARRAY_GET(arr, i, &number, 0, WEIR_FOREVER);
		number = -number;
		if (result == 0)
			result = WEIR_ARRAY_SET(arr, i, &number, 0, WEIR_FOREVER);
	}
	return result != 0;
}

static void print(struct weir_value *num, struct weir_array *arr)
{
	int numbers[COUNT] = { 0 };
	double number = 0;

	WEIR_VALUE_GET(num, &number, 0, WEIR_FOREVER);
	WEIR_ARRAY_READ(arr, 0, COUNT, numbers, 0, WEIR_FOREVER);
	printf("%.8g\n[", number);
	for (int i = 0; i < COUNT; i++)
		printf(i > 0 ? ", %d" : "%d", numbers[i]);
	printf("]\n");
}

int main(void)
{
	double zero = 0.0;
	int range[COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct weir_value_options value = {
		.size = sizeof(value), .type = WEIR_TYPE(zero), .initial = &zero,
	};
	struct weir_array_options array = {
		.size = sizeof(array), .type = WEIR_TYPE(range[0]), .count = COUNT,
		.initial = range,
	};
	struct weir_value *num;
	struct weir_array *arr;
	int result = weir_value(&num, &value), status;
	pid_t p;

	if (result == 0)
		result = weir_array(&arr, &array);
	if (result < 0) {
		fprintf(stderr, "weir: %s\n", weir_strerror(result));
		return 1;
	}
	p = fork();
	if (p == 0)
		_exit(change(num, arr));
	if (p < 0 || waitpid(p, &status, 0) < 0 || status != 0)
		return 1;
	print(num, arr);
	weir_value_close(num);
	weir_array_close(arr);
	return 0;
}
