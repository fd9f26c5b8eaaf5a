/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_misc - the system and the process asked about themselves: names, figures, random bytes, settings, the end. */
#include <abi/errno.h>
#include <abi/prctl.h>
#include <abi/rseq.h>
#include <abi/utsname.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <machine/cpu.h>
#include <sys/debug/kprint.h>
#include <sys/file/procfs.h>
#include <sys/file/tty.h>
#include <sys/proc/proc.h>
#include <sys/proc/uts.h>
#include <sys/proc/view.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/gates.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>
#include <sys/vm/uaccess.h>

int
sys_uname(struct sysmsg *m, uaddr_t buf)
{
	struct k_utsname u;

	(void)m;
	uts_get(&u);
	if ((curproc->p_personality & PER_MASK) == PER_LINUX32)
		strlcpy(u.machine, "i686", sizeof u.machine);
	return copyout(buf, &u, sizeof u);
}

static int
set_name(uaddr_t from, int len, int domain)
{
	char name[UTS_LEN];
	int error;

	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EPERM;
	if (len < 0 || len >= UTS_LEN)
		return EINVAL;
	error = copyin(name, from, (size_t)len);
	return error != 0 ? error : uts_set(name, (uint32_t)len, domain);
}

int
sys_sethostname(struct sysmsg *m, uaddr_t name, int len)
{
	(void)m;
	return set_name(name, len, 0);
}

int
sys_setdomainname(struct sysmsg *m, uaddr_t name, int len)
{
	(void)m;
	return set_name(name, len, 1);
}

int
sys_sysinfo(struct sysmsg *m, uaddr_t to)
{
	struct page_stats ps;
	struct k_sysinfo si;
	uint64_t load[3];

	(void)m;
	page_stats(&ps);
	procfs_load(load);
	si = (struct k_sysinfo){
		.uptime = (int64_t)((time_now() - time_boot()) / NSEC_PER_SEC),
		.totalram = ps.total * PAGE_BYTES,
		.freeram = ps.free * PAGE_BYTES,
		.loads = { load[0], load[1], load[2] },
		.sharedram = ps.shmem * PAGE_BYTES,
		.procs = (uint16_t)rt_min(proc_count(), UINT16_MAX),
		.mem_unit = 1,
	};
	return copyout(to, &si, sizeof si);
}

#define GRND_NONBLOCK	1u
#define GRND_RANDOM	2u
#define GRND_INSECURE	4u

int
sys_getrandom(struct sysmsg *m, uaddr_t buf, size_t count, uint32_t flags)
{
	uint8_t bytes[256];
	size_t done = 0, part;
	int error = 0;

	if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return EINVAL;
	count = rt_min(count, INT32_MAX);
	while (done < count && error == 0) {
		size_t n = rt_min(count - done, sizeof bytes);

		md_entropy(bytes, n);
		error = copyout_part(buf + done, bytes, n, &part);
		done += part;
		lwkt_poll();
		if (sig_pending(m->sm_lwp) && done > sizeof bytes)
			break;
	}
	m->sm_result = (int64_t)done;
	return done > 0 ? 0 : error;
}

int
sys_getcpu(struct sysmsg *m, uaddr_t cpu, uaddr_t node, uaddr_t cache)
{
	uint32_t zero = 0, id = mycpuid;
	int error = 0;

	(void)m;
	(void)cache;
	if (cpu != 0)
		error = copyout(cpu, &id, sizeof id);
	if (error == 0 && node != 0)
		error = copyout(node, &zero, sizeof zero);
	return error;
}

int
sys_personality(struct sysmsg *m, uint32_t persona)
{
	struct proc *p = curproc;

	m->sm_result = p->p_personality;
	if (persona != UINT32_MAX)
		p->p_personality = persona;
	return 0;
}

/* ------------------------------------------------------------- syslog -- */

enum { SYSLOG_READ = 2, SYSLOG_READ_ALL, SYSLOG_READ_CLEAR, SYSLOG_CLEAR, SYSLOG_CONSOLE_OFF, SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL, SYSLOG_SIZE_UNREAD, SYSLOG_SIZE_BUFFER };

static int
syslog_read(struct sysmsg *m, uaddr_t buf, int len)
{
	char *text;
	size_t n;
	int error;

	if (buf == 0 || len < 0)
		return EINVAL;
	n = rt_min((size_t)len, kmsg_bytes());
	text = kmalloc(n + 1, KM_WAIT);
	if (text == NULL)
		return ENOMEM;
	n = kmsg_read(text, n);
	error = copyout(buf, text, n);
	kfree(text);
	m->sm_result = (int64_t)n;
	return error;
}

int
sys_syslog(struct sysmsg *m, int type, uaddr_t buf, int len)
{
	int error = 0;

	/* Anybody may read, but an inmate: the messages are about the machine. */
	if (((type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER) || view_is_jail(view_current())) &&
	    !cred_capable(cred_current(), CAP_SYSLOG))
		return EPERM;
	switch (type) {
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
		return syslog_read(m, buf, len);
	case SYSLOG_READ_CLEAR:
		error = syslog_read(m, buf, len);
		/* fall through */
	case SYSLOG_CLEAR:
		if (error == 0)
			kmsg_clear();
		return error;
	case SYSLOG_CONSOLE_LEVEL:
		return len < 1 || len > 8 ? EINVAL : 0;
	case SYSLOG_SIZE_UNREAD:
		m->sm_result = (int64_t)kmsg_bytes();
		return 0;
	case SYSLOG_SIZE_BUFFER:
		m->sm_result = KMSG_BYTES;
		return 0;
	case 0:
	case 1:
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON:
		return 0;
	default:
		return EINVAL;
	}
}

/* ------------------------------------------------------------- reboot -- */

#define REBOOT_MAGIC1	0xfee1deadu
#define REBOOT_RESTART	0x01234567u
#define REBOOT_HALT	0xcdef0123u
#define REBOOT_POWEROFF	0x4321fedcu
#define REBOOT_CAD_ON	0x89abcdefu
#define REBOOT_CAD_OFF	0u

int
sys_reboot(struct sysmsg *m, uint32_t magic1, uint32_t magic2, uint32_t cmd, uaddr_t arg)
{
	(void)m;
	(void)arg;
	if (!cred_capable(cred_current(), CAP_SYS_BOOT))
		return EPERM;
	if (magic1 != REBOOT_MAGIC1 || (magic2 != 672274793u && magic2 != 85072278u && magic2 != 369367448u &&
	    magic2 != 537993216u))
		return EINVAL;
	switch (cmd) {
	case REBOOT_CAD_ON:
	case REBOOT_CAD_OFF:
		return 0;
	case REBOOT_RESTART:
		stdio_drain();
		md_power_off_as(MD_OUT_RESTART, 0);
	case REBOOT_HALT:
	case REBOOT_POWEROFF:
		stdio_drain();
		md_power_off(0);
	default:
		return EINVAL;
	}
}

/* ---------------------------------------------------- registers, prctl -- */

int
sys_arch_prctl(struct sysmsg *m, int option, uint64_t arg2)
{
	struct md_regs *r = &m->sm_lwp->l_uf.uf_regs;

	switch (option) {
	case ARCH_SET_FS:
		if (arg2 >= MD_USER_MAX)
			return EPERM;
		r->fsbase = arg2;
		return 0;
	case ARCH_SET_GS:
		if (arg2 >= MD_USER_MAX)
			return EPERM;
		vm_gates_close(vmspace_current());
		r->gsbase = arg2;
		return 0;
	case ARCH_GET_FS:
		return copyout(arg2, &r->fsbase, sizeof r->fsbase);
	case ARCH_GET_GS:
		return copyout(arg2, &r->gsbase, sizeof r->gsbase);
	default:
		return EINVAL;
	}
}

/* ------------------------------------------------------- robust futexes -- */

#define ROBUST_HEAD_BYTES	24u

int
sys_set_robust_list(struct sysmsg *m, uaddr_t head, size_t len)
{
	if (len != ROBUST_HEAD_BYTES)
		return EINVAL;
	m->sm_lwp->l_robust_list = head;
	return 0;
}

int
sys_get_robust_list(struct sysmsg *m, int32_t pid, uaddr_t head, uaddr_t len)
{
	size_t bytes = ROBUST_HEAD_BYTES;
	int error;

	if (pid != 0 && pid != m->sm_lwp->l_tid) {
		struct proc *p = pid > 0 ? proc_find_tid(pid) : NULL;

		if (p == NULL)
			return ESRCH;
		proc_drop(p);
		return EPERM;
	}
	error = copyout(len, &bytes, sizeof bytes);
	return error != 0 ? error : copyout(head, &m->sm_lwp->l_robust_list, sizeof(uaddr_t));
}

int
sys_rseq(struct sysmsg *m, uaddr_t at, uint32_t len, uint32_t flags, uint32_t sig)
{
	if ((flags & ~RSEQ_FLAG_UNREGISTER) != 0 || len < sizeof(struct k_rseq))
		return EINVAL;
	if ((flags & RSEQ_FLAG_UNREGISTER) != 0)
		return rseq_unregister(m->sm_lwp, at, sig);
	return (at & (sizeof(struct k_rseq) - 1)) != 0 ? EINVAL : rseq_register(m->sm_lwp, at, sig);
}
