# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/file/async.c sys/kern/file/console.c
kern += sys/kern/file/disk.c sys/kern/file/disk_io.c
kern += sys/kern/file/exec.c
kern += sys/kern/file/fdtable.c
kern += sys/kern/file/file.c
kern += sys/kern/file/lockf.c
kern += sys/kern/file/pipe.c sys/kern/file/splice.c
kern += sys/kern/file/poll.c
kern += sys/kern/file/stdio.c
kern += sys/kern/file/tty.c
kern += sys/kern/file/tty_ioctl.c
kern += sys/kern/file/tty_job.c
kern += sys/kern/file/vnode_file.c
kern += sys/kern/syscall/sys_file.c
kern += sys/kern/syscall/sys_ioctl.c
kern += sys/kern/syscall/sys_poll.c
kern += sys/kern/file/memdev.c
kern += sys/kern/file/procfs.c sys/kern/file/procfs_pid.c sys/kern/file/procfs_maps.c sys/kern/file/procfs_root.c
kern += sys/kern/file/procfs_ipc.c sys/kern/file/procfs_limits.c sys/kern/file/sysfs.c sys/kern/file/sysfs_disk.c
kern += sys/kern/file/pty.c
kern += sys/kern/file/devpts.c
kern += sys/kern/file/eventfd.c sys/kern/file/epoll.c sys/kern/file/signalfd.c sys/kern/file/timerfd.c sys/kern/file/pidfd.c \
	sys/kern/file/inotify.c sys/kern/syscall/sys_inotify.c
kern += sys/kern/file/mqueue.c sys/kern/file/mqueuefs.c sys/kern/syscall/sys_mqueue.c
kern += sys/kern/syscall/sys_epoll.c sys/kern/syscall/sys_event.c sys/kern/syscall/sys_xattr.c
