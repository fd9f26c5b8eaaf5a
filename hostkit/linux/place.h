/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place - the arithmetic of placing, for place.c and its tests
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hk_int.h"

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
bool	hk_place_parse_times(const char *text, size_t len, struct hk_place_times *t);
uint32_t hk_place_loss(uint64_t elapsed_ns, uint64_t idle_ns, const struct hk_place_times *sum);
uint32_t hk_place_parse_idle(const char *text, size_t len, uint64_t idle[HK_HOSTCPU_MAX]);
uint32_t hk_place_idlest(const struct hk_cpuset *s, const uint16_t *used, const uint32_t *idle_percent, uint32_t here);
bool	hk_place_is_overfull(uint32_t wait_percent, uint64_t runnable, uint32_t host_cpus);
