# SPDX-License-Identifier: BSD-2-Clause
#
# The only makefile.  Every folder has a files.mk that appends its sources, with
# paths from the root, to one of these lists; the list decides the world, and the
# world decides flags and include paths:
#
#   kern      kernel world: sys/**, platform/vkernel/**   freestanding, -nostdinc
#             (files below sys/core/ are the pure world: they see sys/core only)
#   kerntest  kernel world: tests/kernel/**               linked into vkernel-test only
#   hostkit   host world: the library
#   launch    host world: the vkernel command
#   tools     host world: one-file programs that the build itself needs
#   unit      host world: tests/unit/**/test_*.c, each a CMocka program
#   user      tests/user/*.c, each a static musl program for the guest
#
# Knobs: O=DIR  CC=clang  V=1  SANITIZE=undefined|address  T=name
# Configuration is which lists are linked, never an #ifdef.

MAKEFLAGS	+= --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL	:= all

O		?= build
ifeq ($(origin CC),default)
CC		:= gcc
endif
CC		?= gcc
MUSLCC		?= musl-gcc
AR		?= ar
LD		?= ld
OBJCOPY		?= objcopy
NM		?= nm
Q		:= $(if $(V),,@)
say		= $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

# ------------------------------------------------------------------- lists --
kern		:=
kerntest	:=
hostkit		:=
launch		:=
tools		:=
unit		:=
user		:=
include $(sort $(shell find sys platform hostkit vkernel tests scripts -name files.mk 2>/dev/null))

# ------------------------------------------------------------------- flags --
warn		:= -std=c11 -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror
common		:= -O2 -g -fno-strict-aliasing -MD -MP
ccinc		:= $(shell $(CC) -print-file-name=include)

# Kernel world.  -fno-pie: the image is linked at a fixed address below 2 GiB.
kernflags	:= $(warn) $(common) -ffreestanding -nostdinc -isystem $(ccinc) -fno-pie \
		   -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
		   -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common
incgen		:= -I$(O)/gen/include
inccore		:= -Isys/core
incsys		:= -Isys/include $(inccore) -Iplatform/vkernel/include $(incgen)
incplat		:= $(incsys) -Ihostkit/include

# Host world.  sys/include comes after the host's own folders and only for abi/.
hostflags	:= $(warn) $(common) -D_GNU_SOURCE -fno-pie -Ihostkit/include -idirafter sys/include $(incgen)

ifneq ($(filter undefined,$(SANITIZE)),)
san_kern	:= -fsanitize=undefined -fno-sanitize=alignment $(if $(findstring clang,$(CC)),-fsanitize-trap=undefined,-fsanitize-undefined-trap-on-error)
san_host	:= -fsanitize=undefined -fno-sanitize-recover=undefined
endif
ifneq ($(filter address,$(SANITIZE)),)
san_unit	:= -fsanitize=address
endif

# ----------------------------------------------------------------- objects --
ko		= $(patsubst %,$(O)/obj/kern/%.o,$(basename $(1)))
ho		= $(patsubst %,$(O)/obj/host/%.o,$(basename $(1)))

kern_o		:= $(call ko,$(kern))
kerntest_o	:= $(call ko,$(kerntest))
hostkit_o	:= $(call ho,$(hostkit))
launch_o	:= $(call ho,$(launch))
unit_bin	:= $(patsubst tests/unit/%.c,$(O)/unit/%,$(unit))
user_bin	:= $(patsubst tests/user/%.c,$(O)/user/%,$(user))

incof		= $(if $(filter sys/core/%,$(1)),$(inccore),$(if $(filter platform/%,$(1)),$(incplat),$(incsys)))

$(O)/obj/kern/%.o: %.c
	@mkdir -p $(@D)
	$(call say,KCC,$<)
	$(Q)$(CC) $(kernflags) $(san_kern) $(call incof,$<) -c -o $@ $<

$(O)/obj/kern/%.o: %.S
	@mkdir -p $(@D)
	$(call say,KAS,$<)
	$(Q)$(CC) $(kernflags) $(call incof,$<) -c -o $@ $<

$(O)/obj/host/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(hostflags) $(san_host) $(san_unit) -c -o $@ $<

$(O)/obj/host/%.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(hostflags) -c -o $@ $<

$(O)/lib/libhostkit.a: $(hostkit_o)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/unit/%: tests/unit/%.c $(O)/lib/libhostkit.a
	@mkdir -p $(@D)
	$(call say,UNIT,$<)
	$(Q)$(CC) $(hostflags) $(san_host) $(san_unit) -Ihostkit/linux $(inccore) -MF $@.d -no-pie -o $@ $< $(O)/lib/libhostkit.a -lcmocka -lpthread

$(O)/user/%: tests/user/%.c
	@mkdir -p $(@D)
	$(call say,MUSL,$<)
	$(Q)$(MUSLCC) $(warn) -O1 -g -D_GNU_SOURCE -static -MD -MP -MF $@.d -o $@ $<

# ----------------------------------------------------------------- targets --
.PHONY: all kernel-objects unit user clean help

all: kernel-objects $(if $(hostkit),$(O)/lib/libhostkit.a)

kernel-objects: $(kern_o) $(kerntest_o)

unit: $(unit_bin)
user: $(user_bin)

clean:
	rm -rf $(O)

help:
	@sed -n 's/^#   //p;s/^# Knobs/Knobs/p' Makefile

-include $(shell find $(O) -name '*.d' 2>/dev/null)
