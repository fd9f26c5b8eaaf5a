/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile registers - children that enter the kernel in every odd way; only they may suffer. */
#include "t.h"

static void
quiet(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

#define IN_CHILD(what, insns)	do {				\
	if (t_child(what) == 0) {				\
		quiet();					\
		__asm__ volatile(insns);				\
		_exit(0);					\
	}							\
} while (0)

int
main(void)
{
	int status;

	IN_CHILD("no stack", "xor %esp, %esp; push %rax");
	IN_CHILD("stack not canonical", "mov $0x8000000000000000, %rsp; push %rax");
	IN_CHILD("stack in the kernel", "mov $0xffffffff81000000, %rsp; push %rax");
	IN_CHILD("system call without a stack", "mov %rsp, %r15; xor %esp, %esp; mov $39, %eax; syscall; mov %r15, %rsp");
	IN_CHILD("direction flag set", "std; mov $39, %eax; syscall; cld");
	IN_CHILD("flags kept", "stc; mov $39, %eax; syscall; jc 1f; ud2; 1:");
	IN_CHILD("trap flag alone", "pushfq; orl $0x100, (%rsp); popfq; nop");
	IN_CHILD("alignment check", "pushfq; orl $0x40000, (%rsp); popfq; mov 1(%rsp), %eax");
	IN_CHILD("jump out", "mov $0x7fffffffefff, %rax; jmp *%rax");
	IN_CHILD("jump to the last byte of the lower half", "mov $0x7fffffffffff, %rax; jmp *%rax");
	IN_CHILD("far return to nowhere", "push $0x10; push $0; lretq");
	IN_CHILD("sysret", "sysretq");
	IN_CHILD("swapgs", "swapgs");
	IN_CHILD("wrmsr", "mov $0xc0000101, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr");
	IN_CHILD("out", "mov $0x64, %dx; mov $0xfe, %al; out %al, %dx");
	IN_CHILD("lidt", "sub $16, %rsp; lidt (%rsp)");
	IN_CHILD("null gs", "xor %eax, %eax; mov %eax, %gs; mov $39, %eax; syscall");
	/* A crowd that runs for ever: it is stopped from outside. */
	pid_t pid[6];
	for (int i = 0; i < 6; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			for (;;)
				;
	}
	t_sleep_ms(50);
	for (int i = 0; i < 6; i++) {
		kill(pid[i], i % 2 ? SIGKILL : SIGTERM);
		waitpid(pid[i], &status, 0);
		t_status("runaway", status);
	}
	return 0;
}
