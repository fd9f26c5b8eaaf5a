# SPDX-License-Identifier: BSD-2-Clause
guest += tests/guest/jail.c tests/guest/escape.c tests/guest/mapped.c tests/guest/disk.c tests/guest/pattern.c tests/guest/sampled.c
