/* SPDX-License-Identifier: BSD-2-Clause */
/* missing - stand-ins, each replaced by the real one when that is linked; this file goes when none is used. */
#include <sys/debug/kprint.h>

#define MISSING(name) \
	void name(void); \
	__attribute__((weak)) void name(void) { panic("not yet in the tree: " #name); }

MISSING(exec_kernel) MISSING(fd_set) MISSING(file_drop) MISSING(fsctx_current)
MISSING(initramfs_unpack) MISSING(kmalloc) MISSING(kstack_alloc) MISSING(kstack_free) MISSING(lookup_done)
MISSING(name_lookup) MISSING(ncp_drop) MISSING(proc_create_first) MISSING(proc_drop) MISSING(proc_exit)
MISSING(proc_find) MISSING(proc_foreach) MISSING(proc_fork_kernel) MISSING(proc_setsid) MISSING(proc_wait_any)
MISSING(rb_first) MISSING(rb_insert) MISSING(rb_remove) MISSING(sig_post) MISSING(sig_post_pgrp) MISSING(stdio_drain)
MISSING(stdio_open) MISSING(syscall_missing) MISSING(tty_console_init) MISSING(tty_console_resized) MISSING(vfs_init)

/* of the file layer */
MISSING(copyin) MISSING(copyout) MISSING(cred_capable) MISSING(cred_current) MISSING(cred_drop)
MISSING(cred_hold) MISSING(ncp_hold) MISSING(proc_add_hooks) MISSING(sig_force) MISSING(sig_post_lwp) MISSING(sig_temp_mask)
MISSING(uio_kernel) MISSING(uio_move) MISSING(vattr_to_stat) MISSING(vmobj_seek) MISSING(vn_getattr)
MISSING(vn_read) MISSING(vn_setattr) MISSING(vn_write) MISSING(vnode_drop) MISSING(vnode_hold)
MISSING(pgrp_drop) MISSING(pgrp_find) MISSING(pgrp_hold) MISSING(pgrp_is_orphaned) MISSING(proc_getpgid)
MISSING(proc_set_hangup) MISSING(session_drop) MISSING(session_hold) MISSING(sig_is_ignored_or_blocked)
MISSING(cred_in_group) MISSING(uio_zero) MISSING(vmobj_create) MISSING(vmobj_drop) MISSING(vmobj_page) MISSING(vmobj_remove)
MISSING(vmobj_resize) 
MISSING(vmobj_hold) MISSING(copyinstr) MISSING(cred_copy)
MISSING(copyin_part) MISSING(copyout_part) MISSING(sig_pending) MISSING(uzero)

#define LATER(name) \
	void name(void); \
	__attribute__((weak)) void name(void) { kprintf("not yet in the tree: " #name "\n"); }
LATER(chr_attach) LATER(file_init) LATER(proc_init) LATER(syscall_init) LATER(vm_kmem_init) LATER(vm_map_init) LATER(vm_phys_init)
