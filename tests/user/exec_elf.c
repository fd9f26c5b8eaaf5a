/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF - hand-made images, good and bad.
 *
 * One page holds an ELF header, program headers and a few instructions that
 * exit with a status.  Each case changes one field; the process must run, be
 * refused, or die, as on Linux, and nothing else may happen.
 */
#include "t.h"
#include <elf.h>

struct image {
	Elf64_Ehdr	eh;
	Elf64_Phdr	ph[4];
	uint8_t		code[64];
	uint8_t		data[64];
};

static char envs[] = "A=1";

static void
fill(struct image *im, int type, uint64_t base)
{
	/* mov $60,%eax; mov $17,%edi; syscall */
	static const uint8_t code[] = { 0xb8, 60, 0, 0, 0, 0xbf, 17, 0, 0, 0, 0x0f, 0x05 };

	memset(im, 0, sizeof *im);
	memcpy(im->eh.e_ident, ELFMAG, SELFMAG);
	im->eh.e_ident[EI_CLASS] = ELFCLASS64;
	im->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	im->eh.e_ident[EI_VERSION] = EV_CURRENT;
	im->eh.e_type = (Elf64_Half)type;
	im->eh.e_machine = EM_X86_64;
	im->eh.e_version = EV_CURRENT;
	im->eh.e_entry = base + offsetof(struct image, code);
	im->eh.e_phoff = offsetof(struct image, ph);
	im->eh.e_ehsize = sizeof im->eh;
	im->eh.e_phentsize = sizeof im->ph[0];
	im->eh.e_phnum = 1;
	im->ph[0].p_type = PT_LOAD;
	im->ph[0].p_flags = PF_R | PF_X;
	im->ph[0].p_vaddr = base;
	im->ph[0].p_filesz = sizeof *im;
	im->ph[0].p_memsz = sizeof *im;
	im->ph[0].p_align = T_PAGE;
	memcpy(im->code, code, sizeof code);
}

static void
run_bytes(const char *what, const void *p, size_t n)
{
	char *argv[] = { (char *)(uintptr_t)"e", NULL }, *envp[] = { envs, NULL };
	int fd;

	unlink("e");
	fd = open("e", O_CREAT | O_TRUNC | O_WRONLY, 0755);
	t_need(fd >= 0 && write(fd, p, n) == (ssize_t)n, "write");
	close(fd);
	if (t_child(what) == 0) {
		execve("./e", argv, envp);
		t_say("%s: execve: %s", what, t_errno(errno));
		_exit(1);
	}
}

static void
run(const char *what, const struct image *im)
{
	run_bytes(what, im, sizeof *im);
}

static void
good(void)
{
	struct image im;

	fill(&im, ET_EXEC, 0x400000);
	run("ET_EXEC", &im);
	fill(&im, ET_DYN, 0);
	run("static PIE", &im);
	fill(&im, ET_EXEC, 0x10000);
	run("low address", &im);
	fill(&im, ET_EXEC, 0x700000000000);
	run("high address", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[1].p_type = PT_GNU_STACK;
	im.ph[1].p_flags = PF_R | PF_W;
	im.ph[2].p_type = PT_NOTE;
	im.ph[3].p_type = 0x6fff1234;
	im.eh.e_phnum = 4;
	run("other headers", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[1].p_type = PT_LOAD;
	im.ph[1].p_vaddr = 0x900000;
	im.eh.e_phnum = 2;
	run("an empty segment", &im);
	im.ph[1].p_vaddr = 0x8000000000000000;
	run("an empty segment nowhere", &im);
	im.ph[1].p_vaddr = (uint64_t)-4096;
	run("an empty segment at the end", &im);
	im.ph[1].p_type = PT_INTERP;
	im.ph[1].p_filesz = im.ph[1].p_memsz = 20;
	im.ph[1].p_offset = 1ull << 63;
	run("the name of an interpreter nowhere", &im);
}

/* A second, writable segment with bss: its start must be zero and its end writable. */
static void
bss(void)
{
	/*
	 * mov 0x500000+off,%edi (data) ; add 0x501000,%edi (bss, zero) ; movl $1,0x505ff0
	 * mov $60,%eax ; syscall
	 */
	static const uint8_t code[] = {
		0x8b, 0x3c, 0x25, 0, 0, 0x50, 0, 0x03, 0x3c, 0x25, 0x00, 0x10, 0x50, 0,
		0xc7, 0x04, 0x25, 0xf0, 0x5f, 0x50, 0, 1, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05,
	};
	struct image im;
	uint32_t off = offsetof(struct image, data);

	fill(&im, ET_EXEC, 0x400000);
	memcpy(im.code, code, sizeof code);
	im.code[3] = (uint8_t)off;
	im.code[4] = (uint8_t)(off >> 8);
	im.data[0] = 33;
	im.ph[1] = im.ph[0];
	im.ph[1].p_vaddr = 0x500000;
	im.ph[1].p_flags = PF_R | PF_W;
	im.ph[1].p_memsz = 0x6000;
	im.eh.e_phnum = 2;
	run("bss is zero and writable", &im);
}

static void
bad_header(void)
{
	struct image im;

	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_machine = EM_386;
	run("other machine", &im);
	fill(&im, ET_REL, 0x400000);
	run("relocatable", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_ident[0] = 0x7e;
	run("bad magic", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_phentsize = 32;
	run("bad phentsize", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_phnum = 0;
	run("no program headers", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_phnum = 65535;
	run("too many program headers", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_phoff = 1 << 20;
	run("program headers outside the file", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_phoff = UINT64_MAX - 8;
	run("program headers that wrap", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_type = PT_NULL;
	run("nothing to load", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_entry = 0x900000;
	run("entry outside", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.eh.e_entry = 0x8000000000000000;
	run("entry not canonical", &im);
}

static void
bad_segment(void)
{
	struct image im;

	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_memsz = im.ph[0].p_filesz - 1;
	run("memsz below filesz", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_memsz = UINT64_MAX;
	run("memsz that wraps", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_memsz = 0x800000000000;
	run("memsz beyond the address space", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_vaddr = 0xffff800000000000;
	run("kernel address", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_vaddr = 0x7ffffffff000;
	run("last page", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_vaddr = 0x400010;
	run("address and offset disagree", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[0].p_flags = PF_R;
	run("not executable", &im);
	fill(&im, ET_EXEC, 0x400000);
	im.ph[1].p_type = PT_INTERP;
	im.ph[1].p_offset = offsetof(struct image, data);
	im.ph[1].p_filesz = 20;
	memcpy(im.data, "/no/such/ld.so.0000", 20);
	im.eh.e_phnum = 2;
	run("interpreter that is not there", &im);
	im.ph[1].p_filesz = 1;
	run("interpreter name too short", &im);
	im.ph[1].p_filesz = 5000;
	run("interpreter name too long", &im);
	im.ph[1].p_filesz = 10;
	run("interpreter name without end", &im);
}

static void
truncated(void)
{
	static const size_t sizes[] = { 1, 3, 4, 16, 51, 52, 63, 64, 65, 100, 119, 120, 200 };
	struct image im;
	char what[32];

	fill(&im, ET_EXEC, 0x400000);
	for (size_t i = 0; i < T_COUNT(sizes); i++) {
		snprintf(what, sizeof what, "first %zu bytes", sizes[i]);
		run_bytes(what, &im, sizes[i]);
	}
}

int
main(void)
{
	good();
	bss();
	bad_header();
	bad_segment();
	truncated();
	return 0;
}
