/* SPDX-License-Identifier: BSD-2-Clause */
/* uts - the names of the system: each view has its own. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/proc/uts.h>
#include <sys/proc/view.h>

void
uts_get(struct k_utsname *out)
{
	const char *boot = md_boot()->b_name;
	struct view *v = view_current();

	memset(out, 0, sizeof *out);
	strlcpy(out->sysname, "Linux", sizeof out->sysname);
	strlcpy(out->release, UTS_RELEASE, sizeof out->release);
	strlcpy(out->version, UTS_VERSION, sizeof out->version);
	strlcpy(out->machine, "x86_64", sizeof out->machine);
	spin_lock(&v->v_spin);
	strlcpy(out->nodename, v->v_host[0] != '\0' ? v->v_host : boot[0] != '\0' ? boot : "damselfly",
	    sizeof out->nodename);
	strlcpy(out->domainname, v->v_domain, sizeof out->domainname);
	spin_unlock(&v->v_spin);
}

int
uts_set(const char *name, uint32_t len, int is_domain)
{
	struct view *v = view_current();
	char *to = is_domain ? v->v_domain : v->v_host;

	if (len >= UTS_LEN)
		return EINVAL;
	spin_lock(&v->v_spin);
	memset(to, 0, UTS_LEN);
	memcpy(to, name, len);
	spin_unlock(&v->v_spin);
	return 0;
}
