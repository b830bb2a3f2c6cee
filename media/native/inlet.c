/* Receiving: waiting for the sockets, whose a packet is, decryption, its header and its codec's counters, noting it, forwarding it.

   Python stays the reference: media.transport.mux, media.wire.rtp.RtpReader, media.wire.payload, media.relay.uplink.Uplink.receive and
   media.relay.forward.Forwarder do the same, and tests compare the two. Only the plain case is C's: the next packet in order of a stream
   that Python has made known, from an address that it has made known, through an open gate. Whatever is else is handed to Python before
   anything of it was noted. The bytes come from strangers: every read is within the datagram's length as it is after decryption. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "forward.h"
#include "inlet.h"

#define NAME_BYTES 28
#define OVERHEAD_BYTES 60 /* media.relay.uplink: PACKET_OVERHEAD_BYTES */
#define ROOM_STEP 64
#define ROLE_TWCC 4
#define ROLE_LEVEL 5

typedef int (*unprotect_fn)(void *context, void *packet, int *length);

struct header {
  uint32_t ts, ssrc;
  int seq, pt, marker, start, end, twcc, level;
};

/* media.wire.payload.Descriptor; `key`: a picture can begin here. */
struct descriptor {
  int key, pid_bits, pid_at, pid, tl0_at, tl0, tid;
};

static uint32_t get16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }

static double clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)((int64_t)t.tv_sec * 1000000000 + t.tv_nsec) / 1e9;
}

/* ---- who sent it */

static uint32_t hash(const struct tp_inlet *m, const uint8_t *key, uint32_t length) {
  uint32_t h = 2166136261u ^ m->seed;
  for (uint32_t i = 2; i < length; i++) h = (h ^ key[i]) * 16777619u;
  return h ^ h >> 15;
}

void tp_link(struct tp_inlet *m, struct tp_origin *origin) {
  origin->hash = hash(m, origin->key, origin->length);
  struct tp_origin **bucket = &m->bucket[origin->hash % TP_BUCKETS];
  origin->next = *bucket;
  *bucket = origin;
}

void tp_unlink(struct tp_inlet *m, struct tp_origin *origin) {
  struct tp_origin **at = &m->bucket[origin->hash % TP_BUCKETS];
  while (*at && *at != origin) at = &(*at)->next;
  if (*at) *at = origin->next;
}

static struct tp_origin *origin_of(struct tp_inlet *m, const uint8_t *name, uint32_t length) {
  uint8_t key[NAME_BYTES + 1];
  if (length > NAME_BYTES) return NULL;
  memcpy(key, name, length);
  key[length] = (uint8_t)m->endpoint[m->at].tag;
  uint32_t h = hash(m, key, length + 1);
  for (struct tp_origin *o = m->bucket[h % TP_BUCKETS]; o; o = o->next) {
    if (o->hash == h && o->length == length + 1 && !memcmp(o->key, key, o->length)) return *o->version == o->seen ? o : NULL;
  }
  return NULL;
}

/* ---- what it says: media.wire.rtp.RtpReader.parse */

static void take_extension(const struct tp_inbox *inbox, struct header *h, int number, const uint8_t *at, int size) {
  if (inbox->role[number] == ROLE_TWCC) {
    if (size >= 2) h->twcc = (int)get16(at);
  } else if (inbox->role[number] == ROLE_LEVEL) {
    if (size >= 1) h->level = at[0];
  }
}

static void one_byte(const struct tp_inbox *inbox, struct header *h, const uint8_t *buf, int at, int stop) {
  while (at < stop) {
    int head = buf[at++];
    if (!head) continue;
    if (head >> 4 == 15) return;
    int size = (head & 15) + 1;
    if (at + size > stop) return;
    take_extension(inbox, h, head >> 4, buf + at, size);
    at += size;
  }
}

static void two_byte(const struct tp_inbox *inbox, struct header *h, const uint8_t *buf, int at, int stop) {
  while (at + 1 < stop) {
    int number = buf[at];
    if (!number) {
      at++;
      continue;
    }
    int size = buf[at + 1];
    at += 2;
    if (at + size > stop) return;
    take_extension(inbox, h, number, buf + at, size);
    at += size;
  }
}

static int parse(const struct tp_inbox *inbox, const uint8_t *buf, int length, struct header *h) {
  if (length < 12 || buf[0] >> 6 != 2) return 0;
  h->marker = buf[1] & 0x80;
  h->pt = buf[1] & 0x7F;
  h->seq = (int)get16(buf + 2);
  h->ts = get32(buf + 4);
  h->ssrc = get32(buf + 8);
  h->twcc = h->level = -1;
  int start = 12 + 4 * (buf[0] & 15);
  if (buf[0] & 0x10) {
    if (start + 4 > length) return 0;
    uint32_t profile = get16(buf + start);
    int at = start + 4;
    start = at + 4 * (int)get16(buf + start + 2);
    if (start > length) return 0;
    if (profile == 0xBEDE) {
      one_byte(inbox, h, buf, at, start);
    } else if ((profile & 0xFFF0) == 0x1000) {
      two_byte(inbox, h, buf, at, start);
    }
  }
  int end = length;
  if (buf[0] & 0x20) {
    int padding = buf[length - 1];
    end -= padding;
    if (!padding || end < start) return 0;
  }
  h->start = start;
  h->end = end;
  return start <= end;
}

/* ---- its codec's counters: media.wire.payload. What is cut short says nothing. */

static const struct descriptor NOTHING = {.pid_at = -1, .tl0_at = -1};

static struct descriptor read_vp8(const uint8_t *p, int end) {
  struct descriptor d = NOTHING;
  if (end <= 0) return NOTHING;
  int first = p[0];
  int at = 1;
  if (first & 0x80) {
    if (at >= end) return NOTHING;
    int flags = p[at++];
    if (flags & 0x80) {
      if (at >= end) return NOTHING;
      d.pid_at = at;
      d.pid = p[at];
      if (d.pid & 0x80) {
        if (at + 1 >= end) return NOTHING;
        d.pid = (d.pid & 0x7F) << 8 | p[at + 1];
        d.pid_bits = 15;
        at += 2;
      } else {
        d.pid_bits = 7;
        at++;
      }
    }
    if (flags & 0x40) {
      if (at >= end) return NOTHING;
      d.tl0_at = at;
      d.tl0 = p[at++];
    }
    if (flags & 0x30) {
      if (flags & 0x20 && at < end) d.tid = p[at] >> 6;
      at++;
    }
  }
  if (at >= end) return NOTHING;
  d.key = first & 0x10 && !(first & 0x07) && !(p[at] & 1);
  return d;
}

static int after_structure(const uint8_t *p, int at, int end) {
  if (at >= end) return end;
  int first = p[at++];
  if (first & 0x10) at += 4 * ((first >> 5) + 1);
  if (first & 0x08) {
    if (at >= end) return end;
    int pictures = p[at++];
    for (int i = 0; i < pictures; i++) {
      if (at >= end) return end;
      at += 1 + (p[at] >> 2 & 3);
    }
  }
  return at < end ? at : end;
}

static struct descriptor read_vp9(const uint8_t *p, int end) {
  struct descriptor d = NOTHING;
  if (end <= 0) return NOTHING;
  int first = p[0];
  int at = 1;
  int sid = 0;
  if (first & 0x80) {
    if (at >= end) return NOTHING;
    d.pid_at = at;
    d.pid = p[at++];
    d.pid_bits = 7;
    if (d.pid & 0x80) {
      if (at >= end) return NOTHING;
      d.pid = (d.pid & 0x7F) << 8 | p[at++];
      d.pid_bits = 15;
    }
  }
  if (first & 0x20) {
    if (at >= end) return NOTHING;
    d.tid = p[at] >> 5 < 3 ? p[at] >> 5 : 3;
    sid = p[at] >> 1 & 7;
    at++;
    if (!(first & 0x10)) {
      if (at >= end) return NOTHING;
      d.tl0_at = at;
      d.tl0 = p[at++];
    }
  }
  if (at >= end) return NOTHING;
  d.key = first & 0x08 && !sid && !(first & 0x40);
  if (d.key) {
    if (first & 0x02) at = after_structure(p, at, end);
    d.key = at < end && (p[at] & 0xCC) == 0x80;
  }
  return d;
}

/* Of codecs without counters: whether a picture can begin with this packet. */

static int h264_begins(int unit) {
  int kind = unit & 0x1F;
  return kind == 5 || kind == 7; /* of an IDR picture, a sequence parameter set */
}

static int h264_key(const uint8_t *p, int end) {
  if (end <= 0) return 0;
  int kind = p[0] & 0x1F;
  if (kind == 28) return 1 < end && p[1] & 0x80 && h264_begins(p[1]);
  if (kind != 24) return h264_begins(kind);
  for (int at = 1; at + 2 < end;) {
    int size = (int)get16(p + at);
    at += 2;
    if (!size || at + size > end) return 0;
    if (h264_begins(p[at])) return 1;
    at += size;
  }
  return 0;
}

static int av1_key(const uint8_t *p, int end) { return end >= 2 && p[0] & 0x08 && !(p[0] & 0x80); }

static struct descriptor read_payload(int codec, const uint8_t *p, int end) {
  struct descriptor d = NOTHING;
  if (codec == TP_VP8) return read_vp8(p, end);
  if (codec == TP_VP9) return read_vp9(p, end);
  d.key = (codec == TP_H264 && h264_key(p, end)) || (codec == TP_AV1 && av1_key(p, end));
  return d;
}

/* ---- the ring */

int tp_keep(struct tp_source *s, uint32_t ts, int seq, int marker, const uint8_t *payload, int size, int level, int primary, double at) {
  if (!s->ring || size < 0 || size > TP_PAYLOAD) return 0;
  struct tp_kept *kept = &s->ring[(uint32_t)seq & s->mask];
  uint32_t room = ((uint32_t)size + ROOM_STEP) & ~(uint32_t)(ROOM_STEP - 1);
  if (kept->room < room || kept->room > 2 * room) {
    free(kept->payload);
    kept->payload = malloc(room);
    kept->room = kept->payload ? room : 0;
    kept->used = kept->payload != NULL;
    if (!kept->payload) return 0;
  }
  memcpy(kept->payload, payload, (size_t)size);
  kept->at = at;
  kept->ts = ts;
  kept->seq = (uint16_t)seq;
  kept->size = (uint16_t)size;
  kept->primary = (uint16_t)primary;
  kept->level = (int16_t)level;
  kept->marker = (uint8_t)marker;
  kept->used = 1;
  return 1;
}

void tp_forget(struct tp_source *s) {
  if (!s->ring) return;
  for (uint32_t i = 0; i <= s->mask; i++) free(s->ring[i].payload);
  memset(s->ring, 0, (s->mask + 1) * sizeof *s->ring);
}

int tp_open(struct tp_source *s, uint32_t size) {
  s->ring = calloc(size, sizeof *s->ring);
  s->mask = size - 1;
  return s->ring != NULL;
}

void tp_close(struct tp_source *s) {
  tp_forget(s);
  free(s->ring);
  s->ring = NULL;
}

/* ---- a packet of media: Uplink.receive, and Forwarder.on_media from there on */

static void note(struct tp_source *s, int seq, uint32_t ts, int size, double now) {
  s->max_seq = seq;
  if (!seq) s->cycles++;
  s->packets++;
  s->octets += size;
  s->last_at = now;
  s->last_ts = ts;
  int64_t transit = ((int64_t)(now * s->rate) - (int64_t)ts) & 0xFFFFFFFF;
  if (s->packets > 1) {
    int64_t delta = (transit - s->transit) & 0xFFFFFFFF;
    if (delta > 0x7FFFFFFF) delta = 0x100000000 - delta;
    s->jitter += ((double)delta - s->jitter) / 16;
  }
  s->transit = transit;
}

static int media(struct tp_inlet *m, struct tp_origin *o, uint8_t *packet, int size) {
  struct tp_inbox *inbox = o->inbox;
  int length = size;
  if (((unprotect_fn)(uintptr_t)m->unprotect)(inbox->rx, packet, &length)) return TP_REFUSED;
  m->size = length;
  struct header h;
  if (length > size || !parse(inbox, packet, length, &h)) return TP_RTP;
  struct tp_source *s = NULL;
  for (int i = 0; i < inbox->sources; i++) {
    if (inbox->source[i]->ssrc == h.ssrc) s = inbox->source[i];
  }
  if (!s || !s->fast || !s->published || h.pt != s->payload_type) return TP_RTP;
  struct tp_published *p = s->published;
  int bytes = h.end - h.start;
  if (bytes > TP_PAYLOAD || s->max_seq < 0 || ((uint32_t)(h.seq - s->max_seq) & 0xFFFF) != 1) return TP_RTP;
  if (!*p->open || s->unheard || (h.twcc >= 0 && inbox->arrivals >= TP_ARRIVALS)) return TP_RTP;
  int heard = s->codec == TP_VOICE && h.level >= 0;
  if (heard && m->levels >= TP_LEVELS) return TP_RTP;
  const uint8_t *payload = packet + h.start;
  struct descriptor d = read_payload(s->codec, payload, bytes);
  if (d.key) return TP_RTP;
  double now = m->now;
  if (o->heard) *o->heard = now;
  if (h.twcc >= 0) {
    inbox->arrival[inbox->arrivals] = (uint16_t)h.twcc;
    inbox->arrived_at[inbox->arrivals++] = now;
  }
  note(s, h.seq, h.ts, bytes, now);
  if (bytes) *p->last_at = now;
  if (heard) m->level[m->levels++] = (struct tp_level){s->number, now, h.level};
  if (d.tid > s->top_tid) s->top_tid = d.tid;
  if (d.pid_at >= 0) s->last_pid = d.pid;
  if (d.tl0_at >= 0) s->last_tl0 = d.tl0;
  tp_keep(s, h.ts, h.seq, h.marker, payload, bytes, h.level, 0, now);
  s->by_tid[d.tid] += bytes + OVERHEAD_BYTES;
  struct tp_packet out = {
      .source = s->number, .now = now, .ts = h.ts, .seq = (uint16_t)h.seq, .marker = (uint8_t)h.marker,
      .startable = s->codec == TP_VOICE, .level = h.level,
      .pid_bits = d.pid_bits, .pid_at = d.pid_at, .pid = d.pid, .tl0_at = d.tl0_at, .tl0 = d.tl0};
  int32_t asked = 0;
  int done = tp_send(p->legs, p->count, &out, payload, bytes, m->protect, &asked);
  *p->forwarded += done;
  m->forwards += (uint64_t)done;
  m->taken++;
  if (!asked && !p->sinks) return TP_DONE;
  m->source = s->number;
  m->seq = h.seq;
  m->asked = asked;
  m->startable = out.startable;
  return TP_ASKED;
}

/* One transport-wide feedback and nothing else: media.wire.twcc.lone_feedback. */
static int lone_feedback(const uint8_t *d, int length) {
  if (length < 20 || d[1] != 205 || (d[0] & 0xDF) != 0x8F || 4 * (int)get16(d + 2) + 4 != length) return 0;
  if (!(d[0] & 0x20)) return 1;
  int padding = d[length - 1];
  return padding && length - padding >= 12;
}

static int control(struct tp_inlet *m, struct tp_origin *o, uint8_t *packet, int size) {
  struct tp_inbox *inbox = o->inbox;
  int length = size;
  if (((unprotect_fn)(uintptr_t)m->unprotect_rtcp)(inbox->rx, packet, &length)) return TP_RTCP_REFUSED;
  m->size = length;
  if (length > size || length > TP_TOLD_BYTES || m->told >= TP_TOLD || !lone_feedback(packet, length)) return TP_RTCP;
  struct tp_told *told = &m->telling[m->told++];
  told->inbox = inbox->number;
  told->at = m->now;
  told->length = length;
  memcpy(told->data, packet, (size_t)length);
  if (o->heard) *o->heard = m->now;
  m->taken++;
  return TP_DONE;
}

/* ---- the sockets */

static int one(struct tp_inlet *m, const struct mmsghdr *from, int i) {
  uint8_t *packet = from->msg_hdr.msg_iov->iov_base;
  int size = from->msg_hdr.msg_flags & MSG_TRUNC ? 0 : (int)from->msg_len;
  m->index = i;
  m->size = size;
  if (size < 2 || packet[0] < 128 || packet[0] > 191) return TP_RAW;
  struct tp_origin *o = origin_of(m, from->msg_hdr.msg_name, from->msg_hdr.msg_namelen);
  if (!o || !o->inbox->rx) return TP_RAW;
  return 192 <= packet[1] && packet[1] <= 223 ? control(m, o, packet, size) : media(m, o, packet, size);
}

int tp_resume(struct tp_inlet *m) {
  const struct mmsghdr *from = (const struct mmsghdr *)m->headers;
  while (m->next < m->got) {
    int i = m->next++;
    int why = one(m, from + i, i);
    if (why) return why;
  }
  m->got = m->next = 0;
  for (int e = 0; e < m->endpoints; e++) tp_flush(m->endpoint[e].batch);
  return TP_DONE;
}

static int fill(struct tp_inlet *m, int e) {
  struct mmsghdr *into = (struct mmsghdr *)m->headers;
  for (int i = 0; i < m->filled; i++) into[i].msg_hdr.msg_namelen = NAME_BYTES;
  int got = recvmmsg(m->endpoint[e].fd, into, TP_RECEIVE, MSG_DONTWAIT, NULL);
  m->got = m->filled = got > 0 ? got : 0;
  m->next = 0;
  m->at = e;
  m->reads += m->got > 0;
  return m->got;
}

int tp_take(struct tp_inlet *m, int e, double now) {
  m->now = now;
  for (int i = 0; i < TP_DRAINS; i++) {
    int got = fill(m, e);
    if (!got) return TP_DONE;
    if (i) m->now = clock_now();
    int why = tp_resume(m);
    if (why) return why;
    if (got < TP_RECEIVE) return TP_DONE;
  }
  return TP_DONE;
}

/* Note that there was something to read; whether that is often. Then packets wait a moment for each other. */
static void read_at(struct tp_inlet *m, struct tp_endpoint *e, double now) {
  double gap = now - e->read_at;
  e->gap += ((gap < m->longest_gap ? gap : m->longest_gap) - e->gap) / m->readings;
  e->read_at = now;
  e->paused = e->gap < m->busy;
  e->pause_until = now + m->coalesce;
}

int tp_serve(struct tp_inlet *m, int other, double timeout) {
  double now = clock_now();
  double until = timeout < 0 ? INFINITY : now + timeout;
  for (;;) {
    struct pollfd fds[TP_ENDPOINTS + 1];
    int which[TP_ENDPOINTS + 1];
    int n = 1;
    double wake = until;
    fds[0] = (struct pollfd){other, POLLIN, 0};
    for (int e = 0; e < m->endpoints; e++) {
      struct tp_endpoint *end = &m->endpoint[e];
      if (end->paused && end->pause_until <= now) { /* what came meanwhile; where nothing did, it is waited for again */
        uint64_t reads = m->reads;
        end->pause_until = now + m->coalesce;
        int why = tp_take(m, e, now);
        if (why) return why;
        end->paused = m->reads != reads;
      }
      if (end->paused) {
        if (end->pause_until < wake) wake = end->pause_until;
        continue;
      }
      which[n] = e;
      fds[n++] = (struct pollfd){end->fd, POLLIN, 0};
    }
    double wait = wake - now;
    struct timespec t = {0, 0};
    if (wait > 0 && wake < INFINITY) {
      t.tv_sec = (time_t)wait;
      t.tv_nsec = (long)((wait - (double)t.tv_sec) * 1e9);
    }
    int ready = ppoll(fds, (nfds_t)n, wake < INFINITY ? &t : NULL, NULL);
    now = clock_now();
    if (ready < 0) return TP_OTHER;
    for (int k = 1; ready > 0 && k < n; k++) {
      if (!fds[k].revents) continue;
      read_at(m, &m->endpoint[which[k]], now);
      int why = tp_take(m, which[k], now);
      if (why) return why;
    }
    if (fds[0].revents) return TP_OTHER;
    if (ready > 0) now = clock_now(); /* under load all that was not a moment */
    if (now >= until) return TP_DONE;
  }
}
