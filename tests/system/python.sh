#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# python - the quick ones of tests/long/python.sh.
export FILES="test_os test_posix test_threading test_mmap test_select test_pty"
exec sh tests/long/python.sh
