/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network interfaces, against the gateway of QEMU's user network (10.0.2.2; we are 10.0.2.15):
 * it answers ARP, and echoes.  Frames are built here.  Where there is no interface, or one
 * without a link, there is nothing to test.
 */
#include <core/rt/rt.h>
#include <drv/net.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/wait.h>
#include <sys/time/time.h>
#include <sys/vm/kmem.h>

#define ECHOES		1000u
#define WINDOW		10u
#define FRAME_MIN	60u
#define ECHO_HEADERS	42u		/* Ethernet, IP, ICMP */
#define PATIENCE	(20 * NSEC_PER_SEC)

static const uint8_t our_ip[4] = { 10, 0, 2, 15 }, its_ip[4] = { 10, 0, 2, 2 };

static struct {
	struct waitq	q;
	uint8_t		its_mac[6];	/* [has_arp] */
	_Atomic bool	has_arp;
	_Atomic uint32_t answered, wrong;
	_Atomic bool	seen[ECHOES];
} net;

/* ---- Frames. ---- */
static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The Internet's checksum; 0 over what contains the right one. */
static uint16_t
checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
put_ether(uint8_t *f, const uint8_t *to, const uint8_t *from, uint16_t type)
{
	memcpy(f, to, 6);
	memcpy(f + 6, from, 6);
	put16(f + 12, type);
}

static size_t
make_arp(const struct netdev *nd, uint8_t *f)
{
	static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t ask[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };	/* Ethernet, IP, lengths, request */

	memset(f, 0, FRAME_MIN);
	put_ether(f, everybody, nd->nd_mac, 0x0806);
	memcpy(f + 14, ask, sizeof ask);
	memcpy(f + 22, nd->nd_mac, 6);
	memcpy(f + 28, our_ip, 4);
	memcpy(f + 38, its_ip, 4);
	return FRAME_MIN;
}

/* All sizes there are, but not in their order. */
static size_t
size_of(uint32_t seq)
{
	return FRAME_MIN + seq * 331 % (NET_FRAME_MAX - FRAME_MIN + 1);
}

static uint8_t
byte_of(uint32_t seq, size_t i)
{
	return (uint8_t)(seq * 7 + i * 13 + (i >> 8));
}

static size_t
make_echo(const struct netdev *nd, uint8_t *f, uint32_t seq)
{
	size_t len = size_of(seq);

	memset(f, 0, ECHO_HEADERS);
	put_ether(f, net.its_mac, nd->nd_mac, 0x0800);
	f[14] = 0x45;
	put16(f + 16, (uint32_t)len - 14);
	f[22] = 64;
	f[23] = 1;
	memcpy(f + 26, our_ip, 4);
	memcpy(f + 30, its_ip, 4);
	put16(f + 24, checksum(f + 14, 20));
	f[34] = 8;
	put16(f + 38, 0xda3e);
	put16(f + 40, seq);
	for (size_t i = ECHO_HEADERS; i < len; i++)
		f[i] = byte_of(seq, i);
	put16(f + 36, checksum(f + 34, len - 34));
	return len;
}

/* ---- Answers. ---- */
static bool
is_good_echo(const struct netdev *nd, const uint8_t *f, size_t len, uint32_t seq)
{
	if (seq >= ECHOES || len != size_of(seq) || memcmp(f, nd->nd_mac, 6) != 0 || f[14] != 0x45)
		return false;
	if (memcmp(f + 30, our_ip, 4) != 0 || checksum(f + 14, 20) != 0 || checksum(f + 34, len - 34) != 0)
		return false;
	for (size_t i = ECHO_HEADERS; i < len; i++)
		if (f[i] != byte_of(seq, i))
			return false;
	return !atomic_exchange(&net.seen[seq], true);
}

static void
input(struct netdev *nd, const void *frame, size_t len)
{
	const uint8_t *f = frame;

	if (len >= ECHO_HEADERS && get16(f + 12) == 0x0806 && get16(f + 20) == 2 &&
	    memcmp(f + 28, its_ip, 4) == 0) {
		memcpy(net.its_mac, f + 22, 6);
		atomic_store(&net.has_arp, true);
	} else if (len >= ECHO_HEADERS && get16(f + 12) == 0x0800 && memcmp(f + 26, its_ip, 4) == 0 &&
	    f[23] == 1 && f[34] == 0) {
		if (!is_good_echo(nd, f, len, get16(f + 40)))
			atomic_fetch_add(&net.wrong, 1);
		atomic_fetch_add(&net.answered, 1);
	}
	wake_all(&net.q);
}

static bool
is_so(bool (*so)(uint32_t), uint32_t n)
{
	int error;

	WAIT_FOR(&net.q, so(n), time_now() + PATIENCE, 0, error);
	return KCHECK(error == 0);
}

static bool has_arp(uint32_t n) { (void)n; return atomic_load(&net.has_arp); }
static bool has_answered(uint32_t n) { return atomic_load(&net.answered) >= n; }

/* ---- The test. ---- */
static bool
send(struct netdev *nd, const uint8_t *f, size_t len)
{
	bool sent;

	crit_enter();
	sent = nd->nd_ops->send(nd, f, len);
	crit_exit();
	return sent;
}

static void
talk_to_gateway(struct netdev *nd)
{
	uint8_t *f = kmalloc(NET_FRAME_MAX, KM_WAIT);
	uint64_t in = atomic_load(&nd->nd_in), out = atomic_load(&nd->nd_out);

	memset(&net, 0, sizeof net);
	waitq_init(&net.q);
	atomic_store(&nd->nd_input, input);
	KCHECK(send(nd, f, make_arp(nd, f)));
	for (uint32_t seq = 0; is_so(has_arp, 0) && seq < ECHOES; seq++) {
		if (seq >= WINDOW && !is_so(has_answered, seq - WINDOW + 1))
			break;
		KCHECK(send(nd, f, make_echo(nd, f, seq)));
	}
	is_so(has_answered, ECHOES);
	atomic_store(&nd->nd_input, NULL);
	KCHECK(atomic_load(&net.wrong) == 0);
	KCHECK(atomic_load(&nd->nd_out) - out == ECHOES + 1 && atomic_load(&nd->nd_in) - in > ECHOES);
	kfree(f);
}

KTEST(pc_net_the_gateway_echoes_what_it_is_sent)
{
	char name[16];
	struct netdev *nd;

	for (uint32_t i = 0; ; i++) {
		(void)rt_snprintf(name, sizeof name, "eth%u", i);
		nd = net_find(name);
		if (nd == NULL)
			break;
		if (atomic_load(&nd->nd_link))
			talk_to_gateway(nd);
	}
}

/* What is no frame is refused, and so is one without a link, however often. */
KTEST(pc_net_what_cannot_be_sent_is_refused)
{
	static uint8_t f[NET_FRAME_MAX + 1];
	struct netdev *nd = net_find(NULL);

	if (nd == NULL)
		return;
	KCHECK(!send(nd, f, sizeof f) && !send(nd, f, 0) && !send(nd, f, 13));
}
