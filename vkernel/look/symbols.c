/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols - the functions of an executable or library: its symbol table, sorted; of one that was stripped,
 * those that it exports.
 */
#include "trace.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct symbols {
	const uint8_t	*y_file;		/* mapped: names are in it */
	size_t		y_bytes, y_count;
	const char	*y_names;
	Elf64_Sym	y_func[];		/* ascending */
};

static int
compare(const void *a, const void *b)
{
	uint64_t x = ((const Elf64_Sym *)a)->st_value, y = ((const Elf64_Sym *)b)->st_value;

	return x < y ? -1 : x > y;
}

/* The table of this type and its names, of a file that may say anything.  False: there is none. */
static bool
sections(const uint8_t *file, size_t bytes, uint32_t type, const Elf64_Shdr **table, const Elf64_Shdr **names)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)(const void *)file;
	const Elf64_Shdr *s;

	if (bytes < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 || e->e_shentsize != sizeof *s ||
	    e->e_shoff % 8 != 0 || e->e_shoff > bytes || (bytes - e->e_shoff) / sizeof *s < e->e_shnum)
		return false;
	s = (const Elf64_Shdr *)(const void *)(file + e->e_shoff);
	for (unsigned i = 0; i < e->e_shnum; i++) {
		const Elf64_Shdr *n = s + s[i].sh_link;

		if (s[i].sh_type != type || s[i].sh_link >= e->e_shnum || s[i].sh_offset % 8 != 0 ||
		    s[i].sh_offset > bytes || s[i].sh_size > bytes - s[i].sh_offset ||
		    n->sh_offset > bytes || n->sh_size > bytes - n->sh_offset || n->sh_size == 0 ||
		    file[n->sh_offset + n->sh_size - 1] != '\0')
			continue;
		*table = s + i;
		*names = n;
		return true;
	}
	return false;
}

static struct symbols *
collect(const uint8_t *file, size_t bytes)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)(const void *)file;
	const Elf64_Shdr *table, *names, *s;
	const Elf64_Sym *sym;
	struct symbols *y;
	size_t n;

	if (!sections(file, bytes, SHT_SYMTAB, &table, &names) &&
	    !sections(file, bytes, SHT_DYNSYM, &table, &names))
		return NULL;
	n = table->sh_size / sizeof *sym;
	sym = (const Elf64_Sym *)(const void *)(file + table->sh_offset);
	y = malloc(sizeof *y + n * sizeof *sym);
	if (y == NULL)
		return NULL;
	*y = (struct symbols){ .y_file = file, .y_bytes = bytes,
		.y_names = (const char *)file + names->sh_offset };
	s = (const Elf64_Shdr *)(const void *)(file + e->e_shoff);
	for (size_t i = 0; i < n; i++) {
		Elf64_Sym *f = &y->y_func[y->y_count];

		*f = sym[i];
		if (ELF64_ST_TYPE(f->st_info) != STT_FUNC || f->st_shndx == SHN_UNDEF ||
		    f->st_shndx >= e->e_shnum || f->st_name >= names->sh_size)
			continue;
		/* Of assembly; they end where the next begins, or their section does. */
		if (f->st_size == 0)
			f->st_size = s[f->st_shndx].sh_addr + s[f->st_shndx].sh_size - f->st_value;
		y->y_count++;
	}
	qsort(y->y_func, y->y_count, sizeof *sym, compare);
	return y;
}

struct symbols *
symbols_read(const char *path)
{
	struct symbols *y = NULL;
	struct stat st;
	void *file;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (file != MAP_FAILED && (y = collect(file, (size_t)st.st_size)) == NULL)
			munmap(file, (size_t)st.st_size);
	}
	close(fd);
	return y;
}

void
symbols_free(struct symbols *y)
{
	if (y == NULL)
		return;
	munmap((void *)(uintptr_t)y->y_file, y->y_bytes);
	free(y);
}

const char *
symbols_find(const struct symbols *y, uint64_t addr, uint64_t *offset)
{
	size_t lo = 0, hi = y != NULL ? y->y_count : 0;
	const Elf64_Sym *f;

	while (lo < hi) {			/* the last one that begins at or before it */
		size_t mid = lo + (hi - lo) / 2;

		if (y->y_func[mid].st_value <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	f = &y->y_func[lo - 1];
	*offset = addr - f->st_value;
	if (*offset >= f->st_size)
		return NULL;
	return y->y_names + f->st_name;
}

uint64_t
symbols_address(const struct symbols *y, uint64_t file_offset)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)(const void *)y->y_file;
	const Elf64_Phdr *p;

	if (e->e_phentsize != sizeof *p || e->e_phoff % 8 != 0 || e->e_phoff > y->y_bytes ||
	    (y->y_bytes - e->e_phoff) / sizeof *p < e->e_phnum)
		return file_offset;
	p = (const Elf64_Phdr *)(const void *)(y->y_file + e->e_phoff);
	for (; p < (const Elf64_Phdr *)(const void *)(y->y_file + e->e_phoff) + e->e_phnum; p++)
		if (p->p_type == PT_LOAD && file_offset - p->p_offset < p->p_filesz)	/* nor before it */
			return file_offset - p->p_offset + p->p_vaddr;
	return file_offset;
}
