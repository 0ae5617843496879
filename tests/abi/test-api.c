/* SPDX-License-Identifier: MIT */
/*
 * Linked with the real libweir.so and the public headers, nothing else: each public function is
 * there, under the version that the map gives it, and the library is the one compiled against.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <weir.h>

struct function {
	const char *name;
	void (*address)(void);
};

#include "api-table.h"

#define FUNCTIONS (sizeof(table) / sizeof(table[0]))

static int number;

static void result(int ok, const char *name, const char *what)
{
	printf("%s %d - %s %s\n", ok ? "ok" : "not ok", ++number, name, what);
}

/* Whether @address, which the linker gave us, lies in the library and not in this program. */
static int is_in_library(const struct function *f)
{
	Dl_info info;
	void *address;

	memcpy(&address, &f->address, sizeof(address));
	return dladdr(address, &info) && strstr(info.dli_fname, "libweir.so") != NULL;
}

int main(void)
{
	for (size_t i = 0; i < FUNCTIONS; i++)
		result(is_in_library(&table[i]), table[i].name, "is exported");
	result(strcmp(weir_version(), WEIR_VERSION) == 0, "weir_version", "is that of the headers");
	result(dlvsym(RTLD_DEFAULT, "weir_version", "WEIR_0.1") != NULL, "weir_version",
	       "has the version of its node");
	printf("1..%d\n", number);
	return 0;
}
