# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/codec/test_codec.c tests/unit/sys/core/codec/test_passwd.c
unit += tests/unit/sys/core/codec/test_blake2s.c
