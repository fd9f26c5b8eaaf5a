/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place - the arithmetic of placing, for place.c and its tests
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define HK_HOSTCPU_MAX	1024u

/* As the host's affinity calls have it. */
struct hk_cpuset {
	uint64_t	cs_bits[HK_HOSTCPU_MAX / 64];
};

bool	hk_cpuset_has(const struct hk_cpuset *s, uint32_t cpu);
void	hk_cpuset_add(struct hk_cpuset *s, uint32_t cpu);
uint32_t hk_cpuset_count(const struct hk_cpuset *s);
bool	hk_cpuset_parse(const char *text, struct hk_cpuset *out);
uint32_t hk_place_choose(const struct hk_cpuset *s, const uint16_t *used, uint32_t from);
