/* SPDX-License-Identifier: BSD-2-Clause */
/* uts - the names of the system.  One set, until there are jails with their own. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/lwkt/spin.h>
#include <sys/proc/uts.h>

static struct spin uts_spin = SPIN_INIT(uts);
static char host[UTS_LEN];		/* [uts_spin] "" until set: the name the machine was started with */
static char domain[UTS_LEN] = "(none)";	/* [uts_spin] */

void
uts_get(struct k_utsname *out)
{
	const char *boot = md_boot()->b_name;

	memset(out, 0, sizeof *out);
	strlcpy(out->sysname, "Linux", sizeof out->sysname);
	strlcpy(out->release, UTS_RELEASE, sizeof out->release);
	strlcpy(out->version, UTS_VERSION, sizeof out->version);
	strlcpy(out->machine, "x86_64", sizeof out->machine);
	spin_lock(&uts_spin);
	strlcpy(out->nodename, host[0] != '\0' ? host : boot[0] != '\0' ? boot : "damselfly",
	    sizeof out->nodename);
	strlcpy(out->domainname, domain, sizeof out->domainname);
	spin_unlock(&uts_spin);
}

int
uts_set(const char *name, uint32_t len, int is_domain)
{
	char *to = is_domain ? domain : host;

	if (len >= UTS_LEN)
		return EINVAL;
	spin_lock(&uts_spin);
	memset(to, 0, UTS_LEN);
	memcpy(to, name, len);
	spin_unlock(&uts_spin);
	return 0;
}
