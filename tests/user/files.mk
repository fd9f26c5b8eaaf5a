# SPDX-License-Identifier: BSD-2-Clause
user += $(sort $(wildcard tests/user/*.c))
