/* SPDX-License-Identifier: BSD-2-Clause */
/* codec - archives, gzip and deflate: the unit tests' own entry. */
#include "../unit/sys/core/codec/fuzz_codec.c"
