/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host - what cpu, place, ram, serve and stream share among themselves and
 * with init; spaces and stubs (hk_int.h) never need it
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "hk_int.h"

#define ASSERT(x)	((x) ? (void)0 : hk_assert_failed(__FILE__, __LINE__, #x))
_Noreturn void hk_assert_failed(const char *file, int line, const char *what);

/* sys.c: set hk_why() to "what: error text" and return what the error means. */
hk_result hk_fail_host(const char *what, long minus_errno);

/* ram.c */
int	hk_memfd(const char *name, uint64_t len, bool may_exec);	/* descriptor or -errno */
hk_result hk_ram_init(uint64_t base, uint64_t bytes);
void	hk_ram_fini(void);
void	hk_ram_work(void);	/* main thread */

/* cpu.c */
#define HK_SIGNO_TIMER	SIGURG		/* ignored by default, passed on in silence by debuggers */
struct hk_cpu_rec *hk_cpu_self(void);	/* NULL on a thread that is no CPU */
void	hk_cpus_init(void);
void	hk_cpus_fini(void);		/* collects the threads, all of which must have stopped */
void	hk_catch_fatal(bool on);		/* before the terminal is made raw: no default action while it is */
void	hk_die_by(int signo);		/* end as `signo` ends a process, with the terminal put back */

/* stream.c */
#define HK_STREAMS	3u
hk_result hk_streams_init(void);
void	hk_streams_fini(void);
void	hk_stream_ready(uint32_t stream);	/* serve.c: readiness was reported */
void	hk_stream_cook(void);			/* terminals as they were; async-signal-safe */
void	hk_stream_uncook(void);			/* after a stop: raw again, if that is wanted */

/* hostfile.c */
void	hk_files_fini(void);

/* serve.c */
hk_result hk_serve_init(void);
void	hk_serve_fini(void);
int	hk_serve_epfd(void);

/* place.c */
hk_result hk_place_init(const char *host_cpus);
void	hk_place_start(struct hk_cpu_rec *c);	/* CPU's own thread: choose and take a host CPU */
void	hk_place_stop(struct hk_cpu_rec *c);
void	hk_place_answers(int32_t tid);		/* the thread, but not what it clones, goes before those that wake it */
void	hk_place_tick(struct hk_cpu_rec *c);	/* CPU's own thread, now and then while it has work */
