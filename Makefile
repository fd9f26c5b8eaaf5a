# SPDX-License-Identifier: BSD-2-Clause
#
# The only makefile.  Every folder has a files.mk that appends its sources, with
# paths from the root, to one of these lists; the list decides the world, and the
# world decides flags and include paths:
#
#   kern      kernel world: sys/**, platform/vkernel/**   freestanding, -nostdinc
#             (files below sys/core/ are the pure world: they see sys/core only)
#   kerntest  kernel world: tests/kernel/**               linked into vkernel-test only
#   pc64      kernel world: what only a PC's kernel has   platform/pc64/**, its drivers, pure code for them
#   pc64test  kernel world: tests of what only a PC has   linked into its kernel-test only
#   hostkit   host world: the library
#   launch    host world: the vkernel command
#   tools     host world: one-file programs
#   unit      host world: tests/unit/**/test_*.c, each a CMocka program
#   user      tests/user/*.c, each a static musl program for the guest; user_glibc: those that are also built with glibc
#   stress    tests/stress/*.c, likewise, for seeds of deterministic mode
#   guest     tests/guest/*.c, likewise, for tests/system
#   helpers   tests/system/*.c, each a host program that a test uses
#   explore_bugs  names of the copies that tests/unit/explore makes
#
# Knobs: O=DIR  CC=clang  V=1  DEBUG=1  SANITIZE=undefined|address|thread  T=name  ARGS='kernel arguments built in'
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
AR		:= ar
LD		:= ld
OBJCOPY		:= objcopy
NM		:= nm
Q		:= $(if $(V),,@)
say		= $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))


# ------------------------------------------------------------------- lists --
kern		:=
kerntest	:=
pc64		:=
pc64test	:=
hostkit		:=
launch		:=
tools		:=
unit		:=
user		:=
user_glibc	:=
guest		:=
helpers		:=
explore_bugs	:=
lists		:= $(sort $(shell find sys platform hostkit vkernel tests scripts -name files.mk 2>/dev/null))
include $(lists)

# ------------------------------------------------------------------- flags --
warn		:= -std=c11 -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror
common		:= -O2 -g -fno-strict-aliasing -MD -MP
ccinc		:= $(shell $(CC) -print-file-name=include)

# Kernel world.  -fno-pie: the image is linked at a fixed address below 2 GiB.  -fbuiltin: small copies are
# the compiler's, but not in the file that has the functions it would call.
kernflags	:= $(warn) $(common) -ffreestanding -fbuiltin -nostdinc -isystem $(ccinc) -fno-pie \
		   -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
		   -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common
incgen		:= -I$(O)/gen/include
inccore		:= -Isys
incsys		:= -Isys/include $(inccore) -Iplatform/vkernel/include $(incgen)
incplat		:= $(incsys) -Ihostkit/include
incpc64		:= -Isys/include $(inccore) -Iplatform/pc64/include $(incgen)

no_pie		:= -no-pie $(if $(findstring clang,$(CC)),-Wno-unused-command-line-argument)

# Host world.  sys/include comes after the host's own folders and only for abi/.
hostflags	:= $(warn) $(common) -D_GNU_SOURCE -fno-pie -Ihostkit/include -idirafter sys/include $(incgen)

# Kernel code traps; host code has the runtime, which clang's static one is not fit for.
ifneq ($(filter undefined,$(SANITIZE)),)
ubsan		:= -fsanitize=undefined -fno-sanitize=alignment
ubsan_trap	:= $(ubsan) $(if $(findstring clang,$(CC)),-fsanitize-trap=undefined,-fsanitize-undefined-trap-on-error)
san_kern	:= $(ubsan_trap)
san_host	:= $(if $(findstring clang,$(CC)),$(ubsan_trap),$(ubsan) -fno-sanitize-recover=undefined)
endif
# Addresses.  The unit tests have the compiler's own runtime; the kernel has ours, sys/kern/debug/asan.c, which knows its
# allocators and its stacks, and the host code of its images has none.  With clang: the unit tests only.
kernel_script	:= vkernel/image/kernel.ld
ifneq ($(filter address,$(SANITIZE)),)
san_unit	:= -fsanitize=address
ifeq ($(findstring clang,$(CC)),)
asan_shadow	:= 0x100000000000
asan_told	:= -DKERNEL_ASAN -DASAN_SHADOW=$(asan_shadow)ull -DLWKT_STACK_BYTES=65536u -DBOOT_STACK_BYTES=65536
san_kern	+= $(asan_told) -fsanitize=kernel-address -fasan-shadow-offset=$(asan_shadow) --param asan-globals=1 \
		   --param asan-stack=1 --param asan-instrumentation-with-call-threshold=1000000 \
		   -fsanitize-address-use-after-scope
kern		+= sys/kern/debug/asan.c
kerntest	+= tests/kernel/planted_asan.c
launch		+= platform/vkernel/asan/shadow.c
kernel_ld	:= --wrap=memcpy --wrap=memmove --wrap=memset
kernel_script	:= $(O)/image/kernel.ld
endif
endif
# Data races between the kernel's CPUs: platform/vkernel/tsan.  Addresses must be ones that its runtime follows, and
# its functions run on the kernel's stacks.  Hostkit, its signals and the stubs are outside.
link		:= -static
ifneq ($(filter thread,$(SANITIZE)),)
ifeq ($(findstring clang,$(CC)),)
$(error SANITIZE=thread needs CC=clang: gcc's does not know fences)
endif
base_thread	:= -DVK_RAM_BASE=0x1000000000ull -DMD_KMAP_BASE=0x4000000000ull
kernflags	+= $(base_thread) -DLWKT_STACK_BYTES=65536u -DBOOT_STACK_BYTES=65536
hostflags	+= $(base_thread)
san_kern	+= -fsanitize=thread
kern		+= platform/vkernel/tsan/fiber.c
hostkit		+= hostkit/linux/tsan.c
kernel_ld	:= --wrap=md_ctx_make --wrap=md_ctx_switch
kernel_sym	:= ,scripts/check/tsan.sym
# The runtime would keep a signal until its thread calls libc next, which a CPU that sleeps does not; and a handler
# that may have interrupted the runtime itself must not call it, as by libc's clock.
libnames	:= --redefine-sym sigaction=__sigaction --redefine-sym clock_gettime=tsan_clock
link		:= -fsanitize=thread
endif

# ------------------------------------------------------------ system calls --
# One table makes numbers, prototypes and dispatch.
systbl		:= $(wildcard sys/kern/syscall/syscalls.tbl)
gen_h		:= $(if $(systbl),$(O)/gen/include/gen/sysnum.h $(O)/gen/include/gen/syscalls.h)
gen_kern	:= $(if $(systbl),$(O)/gen/systable.c)
gen_calls	:= $(if $(systbl),$(O)/gen/include/gen/calls.h)
mksys		= @mkdir -p $(@D)$(if $(V),, && printf '  %-7s %s\n' GEN $@) && awk -v out=$(1) -f scripts/gen/mksyscalls.awk $(systbl) >$@

$(O)/gen/include/gen/sysnum.h: $(systbl) scripts/gen/mksyscalls.awk
	$(call mksys,numbers)
$(O)/gen/include/gen/syscalls.h: $(systbl) scripts/gen/mksyscalls.awk
	$(call mksys,prototypes)
$(O)/gen/systable.c: $(systbl) scripts/gen/mksyscalls.awk
	$(call mksys,table)
$(O)/gen/include/gen/calls.h: $(systbl) scripts/gen/mksyscalls.awk
	$(call mksys,calls)

# ----------------------------------------------------------------- objects --
# Objects are made again when the flags change.
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(kernflags) $(san_kern) $(hostflags) $(san_host) $(san_unit) $(built_in)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

ko		= $(patsubst %,$(O)/obj/kern/%.o,$(basename $(1)))
ho		= $(patsubst %,$(O)/obj/host/%.o,$(basename $(1)))

gen_kern_o	:= $(patsubst $(O)/gen/%.c,$(O)/obj/gen/%.o,$(gen_kern))
kern_o		:= $(call ko,$(kern)) $(gen_kern_o)
kerntest_o	:= $(call ko,$(kerntest))
hostkit_o	:= $(call ho,$(hostkit))
# Host code of the images: not instrumented where that of the unit tests is.
ih		= $(patsubst %.c,$(O)/obj/$(if $(san_unit),image,host)/%.o,$(filter %.c,$(1))) $(call ho,$(filter %.S,$(1)))
launch_o	:= $(call ih,$(launch))
image_lib	:= $(O)/$(if $(san_unit),image,lib)/libhostkit.a
unit_bin	:= $(patsubst tests/unit/%.c,$(O)/unit/%,$(unit))
example_bin	:= $(patsubst hostkit/examples/%.c,$(O)/examples/%,$(wildcard hostkit/examples/*.c))
user_bin	:= $(patsubst tests/user/%.c,$(O)/user/%,$(user)) $(patsubst tests/user/%.c,$(O)/user/%_glibc,$(user_glibc))
guest_bin	:= $(patsubst tests/guest/%.c,$(O)/guest/%,$(guest))
stress_bin	:= $(patsubst tests/stress/%.c,$(O)/stress/%,$(stress))

incof		= $(if $(filter sys/core/%,$(1)),$(inccore),$(if $(filter platform/%,$(1)),$(incplat),$(incsys)))

$(O)/obj/kern/%.o: %.c $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,KCC,$<)
	$(Q)$(CC) $(kernflags) $(san_kern) $(call incof,$<) -c -o $@ $<

$(O)/obj/kern/sys/core/rt/string.o $(O)/obj/pc64/sys/core/rt/string.o: kernflags += -fno-builtin

# DEBUG=1: the kernel watches its memory, its pages and the order of its locks, unasked.  SANITIZE=address: objects have
# red zones, and what is freed is kept for a while.
built_in	:= $(strip $(ARGS) $(if $(DEBUG),kmem_debug page_poison witness,$(if $(filter address,$(SANITIZE)),kmem_debug)))
$(O)/obj/kern/sys/kern/debug/builtin.o $(O)/obj/pc64/sys/kern/debug/builtin.o: kernflags += -DBUILT_IN='"$(built_in)"'

# The address sanitizer's runtime, which looks at what nobody else may.
$(O)/obj/kern/sys/kern/debug/asan.o: san_kern := $(asan_told) -fno-tree-loop-distribute-patterns
$(O)/obj/image/platform/vkernel/asan/shadow.o: hostflags += -DASAN_SHADOW=$(asan_shadow)ull

$(O)/obj/kern/%.o: %.S $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,KAS,$<)
	$(Q)$(CC) $(kernflags) $(call incof,$<) -c -o $@ $<

# The same sources for a PC: linked in the top 2 GiB of addresses, with that platform's headers.
pc64_files	:= $(filter-out platform/% sys/kern/debug/asan.c,$(kern)) $(pc64)
$(O)/obj/pc64/%.o: %.c $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,PCC,$<)
	$(Q)$(CC) $(kernflags) -mcmodel=kernel $(if $(filter sys/core/%,$<),$(inccore),$(incpc64)) -c -o $@ $<

$(O)/obj/pc64/%.o: %.S $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,PAS,$<)
	$(Q)$(CC) $(kernflags) $(incpc64) -c -o $@ $<

$(O)/obj/pc64/systable.o: $(O)/gen/systable.c $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,PCC,$<)
	$(Q)$(CC) $(kernflags) -mcmodel=kernel $(incpc64) -c -o $@ $<

$(O)/obj/pc64/sys/vdso/image.o: sys/vdso/image.S $(O)/vdso/vdso.so
	@mkdir -p $(@D)
	$(Q)$(CC) -DVDSO='"$(O)/vdso/vdso.so"' -c -o $@ $<

# What runs in programs: its own shared object, with tables to unwind through it.
vdsoflags	:= $(warn) -O2 -g0 -fno-strict-aliasing -MD -MP -ffreestanding -nostdinc -isystem $(ccinc) -fPIC \
		   -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fasynchronous-unwind-tables
$(O)/vdso/vdso.so: sys/vdso/vdso.c sys/vdso/vdso.ld $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,VDSO,$@)
	$(Q)$(CC) $(vdsoflags) -Isys/include $(incgen) -c -o $(@D)/vdso.o $<
	$(Q)$(LD) -shared -T sys/vdso/vdso.ld -soname linux-vdso.so.1 --hash-style=both --eh-frame-hdr --build-id \
	    -Bsymbolic -z max-page-size=4096 -z noexecstack -o $@ $(@D)/vdso.o

$(O)/obj/kern/sys/vdso/image.o: sys/vdso/image.S $(O)/vdso/vdso.so
	@mkdir -p $(@D)
	$(Q)$(CC) -DVDSO='"$(O)/vdso/vdso.so"' -c -o $@ $<

$(O)/obj/gen/%.o: $(O)/gen/%.c $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,KCC,$<)
	$(Q)$(CC) $(kernflags) $(san_kern) $(incsys) -c -o $@ $<

$(O)/obj/host/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(hostflags) $(san_host) $(san_unit) -c -o $@ $<

$(O)/obj/host/%.o: %.S $(O)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(hostflags) -c -o $@ $<

$(O)/obj/image/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(hostflags) $(san_host) -c -o $@ $<

$(O)/image/libhostkit.a: $(call ih,$(hostkit))
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Constructors tell the address sanitizer of global variables: they stay, under a name by which the launcher's link
# finds them and the check of what can change does not.  What would be called at the end goes.
$(O)/image/kernel.ld: vkernel/image/kernel.ld Makefile
	@mkdir -p $(@D)
	$(Q)sed 's|/DISCARD/.*|/DISCARD/ : { *(.fini_array) }\n\t.init_array.00099 : { *(.init_array .init_array.*) }|' $< >$@

$(O)/lib/libhostkit.a: $(hostkit_o)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^ $(if $(libnames),&& $(OBJCOPY) $(libnames) $@)

$(O)/unit/%: tests/unit/%.c $(O)/lib/libhostkit.a $(O)/flags
	@mkdir -p $(@D)
	$(call say,UNIT,$<)
	$(Q)$(CC) $(hostflags) $(san_host) $(san_unit) -Ihostkit/linux $(inccore) -MF $@.d $(no_pie) -o $@ $< $(O)/lib/libhostkit.a -lcmocka -lpthread

$(O)/system/%: tests/system/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(hostflags) $(no_pie) -MF $@.d -o $@ $<

# What include/hk alone is good for.
$(O)/examples/%: hostkit/examples/%.c $(O)/lib/libhostkit.a $(O)/flags
	@mkdir -p $(@D)
	$(call say,EXAMPLE,$<)
	$(Q)$(CC) $(hostflags) $(san_host) $(san_unit) -MF $@.d $(no_pie) -o $@ $< $(O)/lib/libhostkit.a -lpthread

# A static musl program.
define musl
@mkdir -p $(@D)
$(call say,MUSL,$<)
$(Q)$(MUSLCC) $(warn) $(1) -g -D_GNU_SOURCE -static -MD -MP -MF $@.d -o $@ $<
endef

$(O)/user/%: tests/user/%.c $(O)/flags | $(gen_calls)
	$(call musl,-O1 $(incgen))

# The same programs with the other C library's threads.
$(O)/user/%_glibc: tests/user/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,GLIBC,$<)
	$(Q)$(CC) $(warn) -O1 -g -D_GNU_SOURCE -static -MD -MP -MF $@.d -o $@ $< -lpthread

$(O)/guest/%: tests/guest/%.c $(O)/flags
	$(call musl,-O1 -fno-omit-frame-pointer)

$(O)/stress/%: tests/stress/%.c $(O)/flags | $(gen_calls)
	$(call musl,-O1 $(incgen))

# ----------------------------------------------------------------- fuzzers --
# Pieces of the kernel on libFuzzer, by clang whatever the kernel is built by.
fuzz_bin	:= $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/*.c))
fuzzflags	:= $(warn) -O1 -g -fno-strict-aliasing -fno-omit-frame-pointer -MD -MP -ffreestanding \
		   -fno-pie -no-pie -fsanitize=fuzzer,address,undefined -fno-sanitize-ignorelist \
		   -fno-sanitize=alignment -fno-sanitize-recover=all
fuzzinc		= -nostdinc -isystem $(shell clang -print-file-name=include) $(incsys)

$(O)/fuzz/%: tests/fuzz/%.c $(O)/flags | $(gen_h)
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)clang $(fuzzflags) $(fuzzinc) -MF $@.d -o $@ $<

$(O)/fuzz/codec: fuzzinc := -Isys

# ------------------------------------------------------------- explorers --
# What ships and copies of it with one planted bug each, on modelled CPUs: tests/unit/explore.
# The objects of the same sources stand for the headers that they include.  What is on no
# explored path need not be there; calling it all the same is status 127, which no test wants.
explored	:= sys/core/ipi/ring.h sys/kern/lwkt/ipi.c sys/kern/lwkt/thread.c sys/kern/lwkt/intr.c \
		   platform/vkernel/cpu/cpu.c hostkit/linux/cpu.c
explored_o	:= $(call ko,$(filter sys/kern/% platform/%,$(explored))) $(call ho,hostkit/linux/cpu.c)
explore_bin	:= $(patsubst %,$(O)/explore/%/explore,$(explore_bugs))
explore_cc	= $(CC) -include tests/unit/explore/access.h
explore_kern	= $(explore_cc) $(filter-out -MD -MP,$(kernflags)) -I$(@D) -Isys/kern/lwkt -Iplatform/vkernel/cpu $(incplat) -c -o $(@D)/
explore_host	= $(filter-out -MD -MP,$(hostflags)) -fno-stack-protector -Ihostkit/linux -c -o $(@D)/

$(O)/explore/%/explore: $(explored) $(wildcard tests/unit/explore/*) $(explored_o) $(call ko,platform/vkernel/cpu/ctx.S) $(O)/flags
	@mkdir -p $(@D)
	$(call say,EXPLORE,$*)
	$(Q)sh tests/unit/explore/copy.sh $* $(@D)
	$(Q)$(explore_kern)scenario.o tests/unit/explore/scenario.c
	$(Q)for f in thread intr md_cpu; do $(explore_kern)$$f.o $(@D)/$$f.c || exit 1; done
	$(Q)$(explore_cc) -Dclock_gettime=x_clock $(explore_host)hk_cpu.o $(@D)/hk_cpu.c
	$(Q)$(CC) $(explore_host)explore.o tests/unit/explore/explore.c
	$(Q)$(CC) $(no_pie) -Wl,--unresolved-symbols=ignore-all -Wl,-z,lazy -o $@ $(@D)/*.o $(call ko,platform/vkernel/cpu/ctx.S)

# ----------------------------------------------------- the virtual kernel's image --
# objects -> one object (code, data and bss in sections of their own) -> symbol
# table from it -> names checked and localised -> linked with launcher, library
# and libc at fixed addresses.  $(1): image name; $(2): its objects.
define image
$(O)/image/$(1)/kernel1.o: $(2) $(kernel_script) $(lists) Makefile
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(LD) -r $(kernel_ld) -T $(kernel_script) -o $$@ $(2)

$(O)/image/$(1)/symtab.o: $(O)/image/$(1)/kernel1.o scripts/gen/mksymtab.awk
	$$(call say,SYMTAB,$$@)
	$$(Q)$(NM) -n $$< >$$(@D)/names
	$$(Q)objdump -dl --no-show-raw-insn $$< | awk -v nm=$$(@D)/names -v top=$(CURDIR)/ \
	    -f scripts/gen/mksymtab.awk >$$(@D)/symtab.S
	$$(Q)$(CC) -c -o $$@ $$(@D)/symtab.S

$(O)/image/$(1)/kernel.o: $(O)/image/$(1)/kernel1.o $(O)/image/$(1)/symtab.o vkernel/image/exports \
    scripts/check/symbols.sh scripts/check/hk.sym
	$$(call say,KERNEL,$$@)
	$$(Q)$(LD) -r -T $(kernel_script) -o $$(@D)/kernel2.o $(O)/image/$(1)/kernel1.o $(O)/image/$(1)/symtab.o
	$$(Q)sh scripts/check/symbols.sh -w scripts/check/hk.sym$(kernel_sym) $$(@D)/kernel2.o
	$$(Q)awk '/^hk_/ { print $$$$1, "hostside_" $$$$1 }' scripts/check/hk.sym >$$(@D)/hostside.syms
	$$(Q)$(OBJCOPY) --keep-global-symbols=vkernel/image/exports --redefine-syms=$$(@D)/hostside.syms $$(@D)/kernel2.o $$@

$(O)/bin/$(1): $(launch_o) $(O)/obj/host/vkernel/image/root.o $(O)/obj/host/vkernel/image/hostside.o $(O)/image/$(1)/kernel.o $(image_lib) \
    vkernel/image/vkernel.ld
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$(CC) $(link) $(no_pie) -g $(san_host) -Wl,-T,vkernel/image/vkernel.ld -Wl,-z,noexecstack -o $$@ \
	    $(launch_o) $(O)/obj/host/vkernel/image/root.o $(O)/obj/host/vkernel/image/hostside.o $(O)/image/$(1)/kernel.o $(image_lib) -lpthread
endef
$(eval $(call image,vkernel,$(kern_o)))
$(eval $(call image,vkernel-test,$(kern_o) $(kerntest_o)))

# ------------------------------------------------------------- the PC's image --
po		= $(patsubst %,$(O)/obj/pc64/%.o,$(basename $(1)))
pc64_o		:= $(call po,$(pc64_files)) $(O)/obj/pc64/systable.o $(O)/obj/pc64/font.o

# The console's letters are Debian's (package console-setup-linux).
FONT		?= /usr/share/consolefonts/Lat15-Terminus16.psf.gz
$(O)/gen/font.c: scripts/gen/mkfont.sh
	@mkdir -p $(@D)
	$(call say,FONT,$@)
	$(Q)sh scripts/gen/mkfont.sh $(FONT) >$@

$(O)/obj/pc64/font.o: $(O)/gen/font.c $(O)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(kernflags) -mcmodel=kernel $(inccore) -c -o $@ $<
define pc64_image
$(O)/pc64/$(1).o: $(2) vkernel/image/kernel.ld $(lists) Makefile
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(LD) -r -T vkernel/image/kernel.ld -o $$@ $(2)

$(O)/pc64/$(1).symtab.o: $(O)/pc64/$(1).o scripts/gen/mksymtab.awk
	$$(call say,SYMTAB,$$@)
	$$(Q)$(NM) -n $$< >$$(@D)/$(1).names
	$$(Q)objdump -dl -j .ktext --no-show-raw-insn $$< | awk -v nm=$$(@D)/$(1).names -v top=$(CURDIR)/ \
	    -f scripts/gen/mksymtab.awk >$$(@D)/$(1).symtab.S
	$$(Q)$(CC) -c -o $$@ $$(@D)/$(1).symtab.S

$(O)/pc64/$(1).elf: $(O)/pc64/$(1).o $(O)/pc64/$(1).symtab.o platform/pc64/boot/pc64.ld
	$$(call say,LINK,$$@)
	$$(Q)$(LD) -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments --build-id \
	    -T platform/pc64/boot/pc64.ld -o $$@ $$(filter %.o,$$^)
endef
$(eval $(call pc64_image,kernel,$(pc64_o)))
$(eval $(call pc64_image,kernel-test,$(pc64_o) $(call po,$(kerntest) $(pc64test))))

BUSYBOX		?= $(firstword $(wildcard /bin/busybox /usr/bin/busybox))
$(O)/root.cpio: scripts/gen/mkroot.sh $(O)/tools/mkcpio $(BUSYBOX)
	$(call say,ROOT,$@)
	@[ -n "$(BUSYBOX)" ] || { echo "no busybox here: make setup" >&2; exit 1; }
	$(Q)sh scripts/gen/mkroot.sh $(BUSYBOX) $(O)/root >$(O)/root.list
	$(Q)$(O)/tools/mkcpio $(O)/root.list >$@

# A door for each call from the kernel to the library: see vkernel/image/hostside.S.
$(O)/gen/hostside.S: vkernel/image/hostside.S scripts/check/hk.sym
	@mkdir -p $(@D)
	$(Q)cp $< $@
	$(Q)awk '/^hk_/ { print "\tDOOR " $$1 }' scripts/check/hk.sym >>$@

$(O)/obj/host/vkernel/image/hostside.o: $(O)/gen/hostside.S
	@mkdir -p $(@D)
	$(Q)$(CC) -c -o $@ $<

$(O)/obj/host/vkernel/image/root.o: vkernel/image/root.S $(O)/root.cpio
	@mkdir -p $(@D)
	$(Q)$(CC) -DROOT_CPIO='"$(O)/root.cpio"' -c -o $@ $<

vk_files	:= vkernel/gdb/load.py $(sort $(wildcard vkernel/gdb/vk/*.py))
$(O)/gen/vk.py: $(vk_files)
	@mkdir -p $(@D)
	$(Q)awk 'FNR == 1 && NR > 1 { print "#==== " substr(FILENAME, length("vkernel/gdb/") + 1) } { print }' $(vk_files) >$@

$(O)/obj/host/vkernel/look/commands.o: vkernel/look/commands.S $(O)/gen/vk.py
	@mkdir -p $(@D)
	$(Q)$(CC) -DVK_COMMANDS='"$(O)/gen/vk.py"' -c -o $@ $<

$(O)/tools/%: vkernel/tools/%.c
	@mkdir -p $(@D)
	$(call say,TOOL,$<)
	$(Q)$(CC) $(hostflags) $(no_pie) -MF $@.d -o $@ $<

# The version is rewritten only when it changes.
version		:= 0.1
$(O)/gen/include/gen/version.h: FORCE
	@mkdir -p $(@D)
	@printf '/* SPDX-License-Identifier: BSD-2-Clause */\n#pragma once\n#define VERSION "%s"\n#define BUILD "%s"\n' \
	    '$(version)' "$$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(launch_o): | $(O)/gen/include/gen/version.h

# Lists what was read for this build, not for those of tests/long inside it.
deps		:= find $(O) \( -path $(O)/asan -o -path $(O)/tsan -o -path $(O)/ubsan -o -path $(O)/careful -o -path $(O)/silent \) -prune -o -name '*.d' -print

# ----------------------------------------------------------------- targets --
.PHONY: all kernel-objects unit user helpers explorers fuzz programs setup setup-run setup-bench setup-long \
	run test test-unit test-long check bench clean help FORCE

tool_bin	:= $(patsubst vkernel/tools/%.c,$(O)/tools/%,$(tools))
images		:= $(if $(and $(san_unit),$(findstring clang,$(CC))),,$(O)/bin/vkernel $(O)/bin/vkernel-test)

## all          the vkernel command, the hostkit library, and what they need (default)
all: kernel-objects $(tool_bin) $(O)/lib/libhostkit.a $(example_bin) $(images)

kernel-objects: $(kern_o) $(kerntest_o) ; @:
unit: $(unit_bin) ; @:
user: $(user_bin) $(guest_bin) $(stress_bin) ; @:

explorers: $(explore_bin) ; @:
helpers: $(patsubst tests/system/%.c,$(O)/system/%,$(helpers)) ; @:
programs: all unit user helpers explorers pc64 ; @:

setup:
	@sh scripts/run/setup test
setup-run:
	@sh scripts/run/setup run
setup-bench:
	@sh scripts/run/setup bench
setup-long:
	@sh scripts/run/setup long

## fuzz         pieces of the kernel on libFuzzer (needs clang): tests/fuzz
fuzz: $(fuzz_bin) ; @:

## run          a shell on our kernel (RUNFLAGS='-m 256M')
run: setup-run
	@$(MAKE) --no-print-directory $(O)/bin/vkernel
	@$(O)/bin/vkernel $(RUNFLAGS)

## pc64         the kernel of a PC, build/pc64/kernel.elf, and the one that tests itself
.PHONY: pc64 iso run-pc64 setup-pc64
pc64: $(O)/pc64/kernel.elf $(O)/pc64/kernel-test.elf
setup-pc64:
	@sh scripts/run/setup pc64

## iso          an image that starts a PC, from a CD or a USB stick, by BIOS or UEFI
iso: setup-pc64
	@$(MAKE) --no-print-directory $(O)/pc64/damselfly.iso

$(O)/pc64/damselfly.iso: $(O)/pc64/kernel.elf $(O)/root.cpio scripts/gen/mkiso.sh
	$(call say,ISO,$@)
	$(Q)sh scripts/gen/mkiso.sh $(O)/pc64/kernel.elf $(O)/root.cpio $@

## run-pc64     that image in QEMU, on this terminal; Ctrl-] x leaves (RUNFLAGS='-c 4 -m 1G')
run-pc64: iso
	@BUILD=$(O) FIRMWARE=seabios ISO=$(O)/pc64/damselfly.iso sh scripts/run/pc64 $(RUNFLAGS)

## debug        a virtual kernel in GDB, with the vk commands (RUNFLAGS='-c 4 -- COMMAND'): docs/debugging.md
.PHONY: debug debug-pc64
debug: setup-run
	@$(MAKE) --no-print-directory $(O)/bin/vkernel
	@BUILD=$(O) sh scripts/run/debug $(RUNFLAGS)

## debug-pc64   the PC's kernel in QEMU and in GDB, with the same commands
debug-pc64: setup-pc64
	@$(MAKE) --no-print-directory $(O)/pc64/kernel.elf $(O)/root.cpio $(O)/gen/vk.py
	@BUILD=$(O) sh scripts/run/debug-pc64 $(RUNFLAGS)

## test         all tests but the long ones; T=NAME runs one
test: setup
	@$(MAKE) --no-print-directory programs
	@CC='$(CC)' sh scripts/run/tests $(if $(T),-t $(T)) $(O) check unit kernel user busybox system

## test-long    the counts and the hours; T=NAME runs one
test-long: setup-long
	@$(MAKE) --no-print-directory programs $(O)/perf/bench
	@CC='$(CC)' sh scripts/run/tests $(if $(T),-t $(T)) $(O) long

## test-unit    the unit tests only
test-unit: setup
	@$(MAKE) --no-print-directory unit
	@CC='$(CC)' sh scripts/run/tests $(if $(T),-t $(T)) $(O) unit

## check        under a minute: build, layers, symbols, headers, form, unit and kernel tests
check: setup
	@$(MAKE) --no-print-directory all unit
	@CC='$(CC)' sh scripts/run/tests -q $(O) check unit kernel

## rules        the source against its rules: layers, symbols, headers, form
.PHONY: rules rule-layers rule-symbols rule-headers rule-style
rules: rule-layers rule-symbols rule-headers rule-style

rule-layers: kernel-objects $(hostkit_o) $(launch_o)
	@$(deps) | sort | xargs sh scripts/check/layers.sh scripts/check/layers $(O)

rule-symbols: kernel-objects
	@sh scripts/check/symbols.sh -w scripts/check/hk.sym,scripts/check/build.sym $(kern_o)
	@sh scripts/check/symbols.sh -w -m 60 scripts/check/machine.sym,scripts/check/build.sym $(filter-out $(O)/obj/kern/platform/%,$(kern_o))

rule-headers: | $(gen_h)
	@sh scripts/check/headers.sh '$(CC)' '$(filter-out -MD -MP,$(kernflags)) $(incsys) -Ihostkit/include' \
	    '$(filter-out -MD -MP,$(hostflags))'

rule-style:
	@sh scripts/check/style.sh

## bench        the same program on the host, on this kernel and on User Mode Linux
bench: setup-bench
	@$(MAKE) --no-print-directory $(O)/bin/vkernel $(O)/bin/vkernel-test $(O)/perf/bench $(O)/tools/mkcpio $(O)/system/deny
	@sh scripts/run/bench $(O)

## bench-pc64   the PC's kernel against Debian's in the same QEMU: instructions, boot, disks
.PHONY: bench-pc64
bench-pc64:
	@BUILD=$(O) sh scripts/run/setup bench-pc64
	@$(MAKE) --no-print-directory $(O)/pc64/kernel.elf $(O)/root.cpio $(O)/tools/mkcpio \
	    $(O)/perf/bench $(O)/perf/disk $(O)/perf/hot.so
	@sh scripts/run/bench-pc64 $(O)

$(O)/perf/%: tests/perf/%.c $(O)/flags
	$(call musl,-O2)

# QEMU loads it.
$(O)/perf/%.so: tests/perf/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,PLUGIN,$<)
	$(Q)$(CC) $(warn) -O2 -g -D_GNU_SOURCE -fPIC -shared -MD -MP -MF $@.d -o $@ $<

## clean        forget all that was built
clean:
	rm -rf $(O)

## help         this text
help:
	@echo 'usage: make [TARGET] [O=DIR] [CC=clang] [V=1] [DEBUG=1] [SANITIZE=undefined|address|thread] [T=NAME] [ARGS=WORDS]'
	@sed -n 's/^## /  /p' Makefile

-include $(shell $(deps) 2>/dev/null)
