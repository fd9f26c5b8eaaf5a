/* SPDX-License-Identifier: BSD-2-Clause */
/* vmcopy - process_vm_readv and process_vm_writev: parts, holes, rights.  needs: root */
#include "t.h"

static struct iovec
at(void *p, size_t n)
{
	return (struct iovec){ p, n };
}

static void
copies(pid_t pid, char *there)
{
	static char text[3 * T_PAGE];
	struct iovec l[2] = { at(text, 5), at(text + 8, 5) }, r[3] = { at(there, 3),
	    at(there + T_PAGE - 2, 4), at(there + 1, 100) };
	struct iovec bad = at(there + 3 * T_PAGE - 2, 100), wrong = at(there, -1ul),
	    far = at((void *)(1ul << 62), 8);

	T(process_vm_readv(pid, l, 2, r, 3, 0));
	t_say("%s, %s", text, text + 8);
	strcpy(text, "0123456789");
	T(process_vm_writev(pid, l, 1, r, 2, 0));
	memset(text, 0, sizeof text);
	l[0] = at(text, sizeof text);
	r[0] = at(there, 10);
	T(process_vm_readv(pid, l, 1, r, 1, 0));
	t_say("%s", text);
	T(process_vm_readv(pid, l, 1, &bad, 1, 0));
	bad = at(there + 3 * T_PAGE, 1);
	T(process_vm_readv(pid, l, 1, &bad, 1, 0));
	T(process_vm_writev(pid, l, 1, &bad, 1, 0));
	bad = at(there + 2 * T_PAGE, 1);
	T(process_vm_readv(pid, l, 1, &bad, 1, 0));
	T(process_vm_writev(pid, l, 1, &bad, 1, 0));
	T(process_vm_readv(pid, l, 1, &far, 1, 0));
	T(process_vm_readv(pid, l, 1, &wrong, 1, 0));
	T(process_vm_readv(pid, &wrong, 1, r, 1, 0));
	T(process_vm_readv(pid, l, 1, r, 1, 1));
	T(process_vm_readv(pid, l, 1025, r, 1, 0));
	T(process_vm_readv(pid, l, 1, r, 1025, 0));
	T(process_vm_readv(pid, l, 0, r, 1, 0));
	T(process_vm_readv(pid, l, 1, r, 0, 0));
	T(process_vm_readv(0x3fffff, l, 1, r, 1, 0));
	T(process_vm_readv(0x3fffff, l, 0, r, 1, 0));
	T(process_vm_readv(pid, (void *)8, 1, r, 1, 0));
	T(process_vm_readv(pid, l, 1, (void *)8, 1, 0));
	if (t_child("another user") == 0) {
		T(setgid(1234));
		T(setuid(1234));
		T(process_vm_readv(pid, l, 1, r, 1, 0));
		T(process_vm_writev(pid, l, 1, r, 1, 0));
		_exit(0);
	}
}

int
main(void)
{
	char *p = t_pages(4), c;
	int up[2], down[2];
	pid_t pid;

	t_need(pipe(up) == 0 && pipe(down) == 0, "pipe");
	strcpy(p, "abc");
	memcpy(p + T_PAGE - 2, "defg", 4);
	mprotect(p + 2 * T_PAGE, T_PAGE, PROT_READ);
	munmap(p + 3 * T_PAGE, T_PAGE);
	pid = fork();
	if (pid == 0) {
		p[0] = 'A';
		(void)!write(up[1], "x", 1);
		(void)!read(down[0], &c, 1);
		t_say("the other has %.3s and %.4s", p, p + T_PAGE - 2);
		_exit(0);
	}
	(void)!read(up[0], &c, 1);
	copies(pid, p);
	t_say("we have %.3s", p);
	(void)!write(down[1], "x", 1);
	wait(NULL);
	return 0;
}
