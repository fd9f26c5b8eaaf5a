/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main - the order in which the kernel comes to life.
 *
 * First what needs no memory (this CPU, its clock), then memory, then
 * everything that may sleep, in a thread, because the boot stack becomes the
 * idle thread and that never sleeps.
 */
#include <core/rt/rt.h>
#include <drv/ramdisk.h>
#include <machine/boot.h>
#include <stdatomic.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/kprint.h>
#include <sys/debug/ktest.h>
#include <sys/debug/report.h>
#include <sys/file/disk.h>
#include <sys/file/memdev.h>
#include <sys/file/mqueue.h>
#include <sys/file/procfs.h>
#include <sys/file/tty.h>
#include <sys/init/init.h>
#include <sys/ipc/ipc.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/ktr.h>
#include <sys/lwkt/thread.h>
#include <sys/net/socket.h>
#include <sys/proc/proc.h>
#include <sys/proc/vdso.h>
#include <sys/syscall/syscall.h>
#include <sys/time/time.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>
#include <sys/vm/map.h>
#include <sys/vm/page.h>

extern _Atomic bool kprint_to_console;

struct cpu cpu0 = { .c_self = &cpu0 };
uint8_t boot_stack[BOOT_STACK_BYTES] __attribute__((aligned(4096)));
static struct thread boot_thread;

uint32_t
kcpu_id(void)
{
	return mycpuid;
}

/* What was asked for cannot be had: no panic, for it is nobody's mistake here. */
static _Noreturn void
refuse(const char *what, const char *which, int error)
{
	char text[256];
	int n = rt_snprintf(text, sizeof text, "damselfly: %s %s: error %d\n", what, which, error);

	md_emergency(text, rt_min((size_t)n, sizeof text - 1));
	md_power_off(125);
}

static void
unpack_root(void)
{
	static const char why[] = "damselfly: root archive: corrupt or too large for memory\n";
	const struct md_boot *b = md_boot();
	int error;

	if (b->b_initrd_bytes == 0)
		return;
	error = initramfs_unpack(b->b_initrd, b->b_initrd_bytes);
	if (error != 0) {
		kprintf("init: the root archive could not be unpacked: error %d\n", error);
		md_emergency(why, sizeof why - 1);
		md_power_off(125);
	}
}

/* Everything that may sleep. */
static void
boot_late(void *arg)
{
	char test[64];
	const char *which;
	int error;

	(void)arg;
	md_dev_init();
	error = vfs_init();
	if (error != 0)
		panic("the root cannot be made: error %d", error);
	unpack_root();
	error = memdev_init();
	if (error != 0)
		panic("/dev cannot be filled: error %d", error);
	error = procfs_init();
	if (error != 0)
		panic("/proc cannot be mounted: error %d", error);
	error = sysfs_init();
	if (error != 0)
		panic("/sys cannot be mounted: error %d", error);
	error = mqueue_init();
	if (error != 0)
		panic("/dev/mqueue cannot be mounted: error %d", error);
	if (boot_arg("ramdisk", test, sizeof test) && (error = ramdisk_make(test)) != 0)
		refuse("this ramdisk cannot be made:", test, error);
	disk_init();
	net_init();
	error = vfs_mount_devices(&which);
	if (error != 0)
		refuse("files of the host cannot be mounted on", which, error);
	error = tty_console_init();
	if (error != 0)
		panic("the console cannot be made: error %d", error);
	if (boot_arg("panic", NULL, 0))
		panic("asked for by a boot argument");
	if (boot_arg("ktest", test, sizeof test))
		ktest_run(test, KTEST_TEST);
	if (boot_arg("kbench", test, sizeof test))
		ktest_run(test, KTEST_BENCH);
	if (boot_arg("plant", test, sizeof test) && !ktest_plant(test))
		refuse("no bug has this name:", test, 0);
	vdso_init();
	error = proc_create_first(init_main, NULL);
	if (error != 0)
		panic("process 1 cannot be made: error %d", error);
}

static void *
mem_for_ever(size_t bytes)
{
	return kmalloc(bytes, KM_ZERO);
}

/* Everything that a CPU owns exists before anybody counts CPUs. */
static void
make_cpus(uint64_t stack_top[CPU_MAX])
{
	struct cpu *c;

	uint32_t n = md_boot()->b_ncpu;

	for (uint32_t i = 1; i < n; i++) {
		if (lwkt_make_cpu(i, &c, &stack_top[i]) != 0 || vm_cpu_init(c) != 0)
			panic("no memory for cpu %u", i);
		time_init_cpu(c);
	}
	for (uint32_t i = 0; i < n; i++)
		if (ipi_init_cpu(i, n) != 0)
			panic("no memory for the messages of %u cpus", n);
}

static void
start_cpus(const uint64_t stack_top[CPU_MAX])
{
	for (uint32_t i = 1; i < cpu_count; i++)
		if (md_cpu_start(i, (struct md_percpu *)cpu_find(i), stack_top[i]) != 0)
			panic("cpu %u cannot be started", i);
}

static void
start_ktr(void)
{
	char text[8] = "";
	uint32_t n = 0;

	(void)boot_arg("ktr", text, sizeof text);
	for (const char *p = text; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	if (ktr_start(n != 0 ? n : KTR_EVENTS) != 0)
		panic("no memory for events");
}

_Noreturn void
kmain(void)
{
	static uint64_t stack_top[CPU_MAX];
	struct thread *td;

	atomic_store(&kprint_to_console, (md_boot()->b_flags & MD_BOOT_VERBOSE) != 0);
	lwkt_boot_cpu(&cpu0, &boot_thread, (uint64_t)boot_stack);
	lwkt_init();
	time_init();
	time_init_cpu(&cpu0);
	vm_phys_init();
	vm_kmem_init();
	lwkt_set_needs(&(struct lwkt_needs){ kstack_alloc, kstack_free, mem_for_ever, timeout_arm, timeout_disarm });
	start_ktr();
	make_cpus(stack_top);
	vm_map_init();
	proc_init();
	ipc_init();
	file_init();
	syscall_init();
	kprintf("damselfly: %u cpu, %llu KiB\n", md_boot()->b_ncpu, (unsigned long long)md_boot()->b_ram_bytes >> 10);

	if (lwkt_create(boot_late, NULL, LWKT_PRI_KERN, "boot", &td) != 0)
		panic("no memory for the first thread");
	report_start();
	start_cpus(stack_top);
	lwkt_start(td);
	lwkt_idle();
}

_Noreturn void
kmain_secondary(uint32_t cpu)
{
	ASSERT(mycpuid == cpu);
	lwkt_idle();
}
