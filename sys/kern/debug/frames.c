/* SPDX-License-Identifier: BSD-2-Clause */
/* frames - a frame is the caller's frame pointer and, above it, the return address. */
#include <sys/debug/frames.h>

uint32_t
frames_walk(uint64_t rbp, uint64_t low, uint64_t high, uint64_t *pc, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && rbp >= low && rbp < high && high - rbp >= 16 && (rbp & 7) == 0) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (frame[1] == 0)
			break;
		pc[n++] = frame[1];
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
	return n;
}
