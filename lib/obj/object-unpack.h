/* SPDX-License-Identifier: MIT */
/* What receiving asks a format before there is an object. */
#ifndef WEIR_OBJ_OBJECT_UNPACK_H
#define WEIR_OBJ_OBJECT_UNPACK_H

#include <stdbool.h>

/*
 * Whether @format is one item; @ret_needs_object: whether an argument will point into the object.
 * 0 or -EINVAL.
 */
int object_format_check(const char *format, bool *ret_needs_object);

#endif
