/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fmt - C's printf into a buffer, without floating point.
 *
 * The result is what would have been written, so that a caller can see
 * truncation; the buffer always ends with NUL when it has room for one.
 */
#include <core/rt/rt.h>

struct out {
	char	*buf;
	size_t	size;		/* of buf */
	size_t	n;		/* characters produced, written or not */
};

struct spec {
	bool	left, zero, plus, space, alt, upper;
	int	width;
	int	precision;	/* -1: none given */
	int	length;		/* argument size in bytes, 1..8 */
};

static void
put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n] = c;
	o->n++;
}

static void
pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void
put_text(struct out *o, const struct spec *sp, const char *s)
{
	size_t len = sp->precision >= 0 ? strnlen(s, (size_t)sp->precision) : strlen(s);

	if (!sp->left)
		pad(o, ' ', sp->width - (int)len);
	for (size_t i = 0; i < len; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - (int)len);
}

static void
put_number(struct out *o, const struct spec *sp, uint64_t v, unsigned base, const char *sign)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int n = 0, zeros, total;
	int signs = (int)strlen(sign);

	for (uint64_t rest = v; rest != 0; rest /= base)
		text[n++] = digits[rest % base];
	if (n == 0 && sp->precision != 0)
		text[n++] = '0';
	zeros = sp->precision > n ? sp->precision - n : 0;
	if (sp->alt && base == 8 && zeros == 0 && (n == 0 || text[n - 1] != '0'))
		zeros = 1;
	if (sp->zero && !sp->left && sp->precision < 0 && sp->width > n + signs)
		zeros = sp->width - n - signs;
	total = n + zeros + signs;

	if (!sp->left)
		pad(o, ' ', sp->width - total);
	for (int i = 0; i < signs; i++)
		put(o, sign[i]);
	pad(o, '0', zeros);
	while (n > 0)
		put(o, text[--n]);
	if (sp->left)
		pad(o, ' ', sp->width - total);
}

static int
parse_number(const char **f, va_list *ap)
{
	int n = 0;

	if (**f == '*') {
		(*f)++;
		return va_arg(*ap, int);
	}
	for (; **f >= '0' && **f <= '9'; (*f)++)
		if (n < 100000)
			n = n * 10 + (**f - '0');
	return n;
}

static void
parse_length(struct spec *sp, const char **f)
{
	sp->length = 4;
	if ((*f)[0] == 'h') {
		sp->length = (*f)[1] == 'h' ? 1 : 2;
		*f += sp->length == 1 ? 2 : 1;
	} else if (**f == 'l') {
		sp->length = 8;
		*f += (*f)[1] == 'l' ? 2 : 1;
	} else if (**f == 'z' || **f == 'j' || **f == 't') {
		sp->length = 8;
		(*f)++;
	}
}

static const char *
parse_spec(struct spec *sp, const char *f, va_list *ap)
{
	*sp = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else if (*f == '#')
			sp->alt = true;
		else
			break;
	}
	sp->width = parse_number(&f, ap);
	if (sp->width < 0) {
		sp->left = true;
		sp->width = -sp->width;
	}
	if (*f == '.') {
		f++;
		sp->precision = parse_number(&f, ap);
	}
	parse_length(sp, &f);
	return f;
}

static uint64_t
get_unsigned(const struct spec *sp, va_list *ap)
{
	if (sp->length == 8)
		return va_arg(*ap, uint64_t);
	return va_arg(*ap, unsigned) & (sp->length == 4 ? UINT32_MAX : sp->length == 2 ? 0xffffu : 0xffu);
}

static int64_t
get_signed(const struct spec *sp, va_list *ap)
{
	int v;

	if (sp->length == 8)
		return va_arg(*ap, int64_t);
	v = va_arg(*ap, int);
	return sp->length == 4 ? v : sp->length == 2 ? (short)v : (signed char)v;
}

static void
put_signed(struct out *o, const struct spec *sp, int64_t v)
{
	const char *sign = v < 0 ? "-" : sp->plus ? "+" : sp->space ? " " : "";

	put_number(o, sp, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, sign);
}

static void
convert(struct out *o, struct spec *sp, char c, va_list *ap)
{
	char one[2] = { 0, 0 };
	uint64_t v;
	const char *s;

	switch (c) {
	case 'd': case 'i':
		put_signed(o, sp, get_signed(sp, ap));
		break;
	case 'u':
		put_number(o, sp, get_unsigned(sp, ap), 10, "");
		break;
	case 'o':
		put_number(o, sp, get_unsigned(sp, ap), 8, "");
		break;
	case 'X':
		sp->upper = true;
		/* fall through */
	case 'x':
		v = get_unsigned(sp, ap);
		put_number(o, sp, v, 16, sp->alt && v != 0 ? (sp->upper ? "0X" : "0x") : "");
		break;
	case 'p':
		put_number(o, sp, (uintptr_t)va_arg(*ap, void *), 16, "0x");
		break;
	case 'c':
		one[0] = (char)va_arg(*ap, int);
		pad(o, ' ', sp->left ? 0 : sp->width - 1);
		put(o, one[0]);
		pad(o, ' ', sp->left ? sp->width - 1 : 0);
		break;
	case 's':
		s = va_arg(*ap, const char *);
		put_text(o, sp, s != NULL ? s : "(null)");
		break;
	case '%':
		put(o, '%');
		break;
	default:		/* a conversion we do not have: show it rather than lose the argument order silently */
		put(o, '%');
		put(o, c);
		break;
	}
}

int
rt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size, 0 };
	struct spec sp;
	va_list args;

	va_copy(args, ap);
	for (const char *f = fmt; *f != '\0'; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_spec(&sp, f + 1, &args);
		if (*f == '\0')
			break;
		convert(&o, &sp, *f, &args);
	}
	va_end(args);
	if (size > 0)
		buf[o.n < size ? o.n : size - 1] = '\0';
	return (int)o.n;
}

int
rt_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = rt_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
