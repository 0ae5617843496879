# SPDX-License-Identifier: MIT
#
# Lines of text as string literals of C.
s/[\\"]/\\&/g
s/^/"/
s/$/\\n"/
