/* The inner loop of media/relay/forward.py: header, rewrite, protect, batch, for every leg that shows a source; and the sending.

   Python stays the reference: media.relay.forward.Forwarder does the same, and tests compare the two byte by byte. libsrtp is called by
   address, so neither its headers nor Python's are needed:  cc -O2 -fPIC -shared -o forward.so forward.c  */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "forward.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define SEGMENTS 48          /* the kernel takes 64 (UDP_MAX_SEGMENTS) */
#define SEGMENT_BYTES 60000
#define JOINED_BYTES 1400    /* longer ones may not fit a path, and what does not fit cannot be joined */
#define SLOTS 512            /* of the table of destinations; twice TP_BATCH */

typedef int (*protect_fn)(void *context, void *packet, int *length);

_Static_assert(sizeof(struct mmsghdr) == 64 && sizeof(struct iovec) == 16, "media/transport/mmsg.py fills these by word");


static void put16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

/* RFC 7741 section 4.2: picture id and TL0PICIDX, each in its own width. */
static void rewrite_vp8(uint8_t *payload, const struct tp_packet *p, const struct tp_leg *leg) {
  if (p->pid_at >= 0 && leg->pid_off) {
    uint32_t id = (uint32_t)p->pid + leg->pid_off;
    if (p->pid_bits == 15) {
      payload[p->pid_at] = (uint8_t)(0x80 | (id >> 8 & 0x7F));
      payload[p->pid_at + 1] = (uint8_t)id;
    } else {
      payload[p->pid_at] = (uint8_t)(id & 0x7F);
    }
  }
  if (p->tl0_at >= 0 && leg->tl0_off) payload[p->tl0_at] = (uint8_t)(p->tl0 + leg->tl0_off);
}

int tp_send(struct tp_leg **legs, int n, const struct tp_packet *p, const uint8_t *payload, int size, uint64_t protect,
            int32_t *asked) {
  protect_fn encrypt = (protect_fn)(uintptr_t)protect;
  int done = 0;
  int needed = 0;
  if (size < 0 || size > TP_PAYLOAD) return 0;
  for (int k = 0; k < n; k++) {
    struct tp_leg *leg = legs[k];
    if (leg->source != p->source) {
      needed += leg->pending == p->source && p->startable;
      continue;
    }
    if (leg->careful) {
      needed++;
      continue;
    }
    struct tp_batch *batch = leg->batch;
    struct tp_wire *wire = leg->wire;
    if (!batch || !leg->tx || !leg->name_length || (leg->opening && !wire)) continue;
    if (batch->count >= TP_BATCH) tp_flush(batch);
    uint32_t i = batch->count;
    uint8_t *out = batch->memory[i];
    uint8_t *at = out;
    at[0] = leg->first;
    at[1] = p->marker | leg->payload_type;
    put16(at + 2, (uint32_t)p->seq + leg->seq_off);
    put32(at + 4, p->ts + leg->ts_off);
    put32(at + 8, leg->ssrc);
    at += 12;
    uint32_t number = 0;
    if (leg->opening) {
      number = *wire->number = (*wire->number + 1) & 0xFFFF;
      memcpy(at, leg->head, leg->opening);
      at += leg->opening;
      put16(at, number);
      at += 2;
    }
    memcpy(at, leg->rest, leg->tail);
    at += leg->tail;
    memcpy(at, payload, (size_t)size);
    if (leg->pid_off || leg->tl0_off) rewrite_vp8(at, p, leg);
    if (p->level >= 0 && leg->level_at) out[leg->level_at] = (uint8_t)p->level;
    int length = (int)(at - out) + size;
    if (encrypt(leg->tx, out, &length)) {
      leg->refused++;
      continue;
    }
    if (leg->opening) {
      wire->at[number & TP_SENT_MASK] = p->now;
      wire->size[number & TP_SENT_MASK] = (uint16_t)length;
      if (leg->numbers) leg->numbers[((uint32_t)p->seq + leg->seq_off) & TP_NUMBERS_MASK] = (uint16_t)number;
    }
    uint8_t *name = batch->names + 28 * i;
    memcpy(name, leg->name, leg->name_length);
    batch->iov[2 * i + 1] = (uint64_t)length;
    batch->headers[8 * i] = (uint64_t)(uintptr_t)name;
    ((uint32_t *)batch->headers)[16 * i + 2] = leg->name_length;
    batch->count = i + 1;
    leg->packets++;
    leg->octets += (uint64_t)size;
    done++;
  }
  *asked = needed;
  return done;
}

/* ---- sending: datagrams of one size to one destination leave as one (UDP generic segmentation offload, Linux 4.18) */

static uint32_t hash(const uint8_t *name, uint32_t length) {
  uint32_t h = 2166136261u;
  for (uint32_t i = 2; i < length; i++) h = (h ^ name[i]) * 16777619u;
  return h;
}

static int send_all(struct tp_batch *batch, struct mmsghdr *messages, const uint16_t *segments, int total) {
  int at = 0;
  while (at < total) {
    int took = sendmmsg(batch->fd, messages + at, (unsigned)(total - at), MSG_DONTWAIT);
    batch->calls++;
    if (took > 0) {
      for (int i = at; i < at + took; i++) {
        batch->sent += segments[i];
        if (segments[i] > 1) batch->gso_refused = 0;
      }
      at += took;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS) { /* full: the rest is late already */
      for (; at < total; at++) batch->dropped += segments[at];
      return 0;
    }
    if (segments[at] > 1) return at + 1; /* joined, and not taken so */
    batch->dropped++;                    /* cannot be sent (unreachable, refused earlier): on with the next */
    at++;
  }
  return 0;
}

void tp_flush(struct tp_batch *batch) {
  static const uint16_t ones[TP_BATCH] = {[0 ... TP_BATCH - 1] = 1};
  int total = (int)batch->count;
  struct mmsghdr *one = (struct mmsghdr *)batch->headers;
  if (!total) return;
  batch->count = 0;
  if (!batch->gso || total == 1) {
    send_all(batch, one, ones, total);
    return;
  }
  int16_t table[SLOTS];
  int16_t head[TP_BATCH], last[TP_BATCH], next[TP_BATCH];
  uint16_t parts[TP_BATCH];
  uint8_t closed[TP_BATCH];
  int groups = 0;
  memset(table, -1, sizeof table);
  for (int i = 0; i < total; i++) {
    const uint8_t *name = one[i].msg_hdr.msg_name;
    uint32_t length = one[i].msg_hdr.msg_namelen;
    size_t bytes = one[i].msg_hdr.msg_iov->iov_len;
    uint32_t slot = hash(name, length) & (SLOTS - 1);
    int g;
    for (;; slot = (slot + 1) & (SLOTS - 1)) { /* the newest group for this destination */
      g = table[slot];
      if (g < 0) break;
      const struct msghdr *other = &one[head[g]].msg_hdr;
      if (other->msg_namelen == length && !memcmp(other->msg_name, name, length)) break;
    }
    next[i] = -1;
    if (g >= 0 && !closed[g]) {
      size_t part = one[head[g]].msg_hdr.msg_iov->iov_len;
      if (bytes && bytes <= part && part <= JOINED_BYTES && parts[g] < SEGMENTS && (parts[g] + 1u) * part <= SEGMENT_BYTES) {
        next[last[g]] = (int16_t)i;
        last[g] = (int16_t)i;
        parts[g]++;
        closed[g] = bytes < part; /* only the last may be shorter */
        continue;
      }
    }
    head[groups] = last[groups] = (int16_t)i;
    parts[groups] = 1;
    closed[groups] = 0;
    table[slot] = (int16_t)groups++;
  }
  if (groups == total) {
    send_all(batch, one, ones, total);
    return;
  }
  struct mmsghdr joined[TP_BATCH];
  struct iovec vectors[TP_BATCH];
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } controls[TP_BATCH];
  int v = 0;
  for (int g = 0; g < groups; g++) {
    struct msghdr *message = &joined[g].msg_hdr;
    *message = one[head[g]].msg_hdr;
    message->msg_iov = vectors + v;
    message->msg_iovlen = parts[g];
    for (int i = head[g]; i >= 0; i = next[i]) vectors[v++] = *one[i].msg_hdr.msg_iov;
    if (parts[g] > 1) {
      uint16_t part = (uint16_t)message->msg_iov->iov_len;
      memset(&controls[g], 0, sizeof controls[g]);
      message->msg_control = controls[g].bytes;
      message->msg_controllen = sizeof controls[g].bytes;
      struct cmsghdr *control = CMSG_FIRSTHDR(message);
      control->cmsg_level = IPPROTO_UDP;
      control->cmsg_type = UDP_SEGMENT;
      control->cmsg_len = CMSG_LEN(sizeof part);
      memcpy(CMSG_DATA(control), &part, sizeof part);
    }
  }
  int from = 0;
  while (from < groups) {
    int stopped = send_all(batch, joined + from, parts + from, groups - from);
    if (!stopped) return;
    int g = from + stopped - 1; /* this one one by one; where it is always so, no more of it */
    if (errno == EIO || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOPROTOOPT) {
      if (++batch->gso_refused >= 8) batch->gso = 0;
    }
    for (int i = head[g]; i >= 0; i = next[i]) send_all(batch, one + i, ones, 1);
    from = g + 1;
  }
}
