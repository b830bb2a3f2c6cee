/* What Python and C share of receiving: read by cffi as it stands, so plain declarations only. inlet.py says who owns what. */

enum {
  TP_RECEIVE = 64,      /* media.transport.mmsg: RECEIVE_BATCH */
  TP_ENDPOINTS = 8,
  TP_DRAINS = 4,        /* media.transport.mux: MAX_DRAINS */
  TP_SOURCES = 24,      /* media.relay.incoming: MAX_SSRCS */
  TP_ARRIVALS = 128,
  TP_TOLD = 64,
  TP_TOLD_BYTES = 1400,
  TP_LEVELS = 64,
  TP_BUCKETS = 4096
};

/* Why tp_serve and tp_resume return. From TP_RAW on: something is Python's, and tp_resume goes on after it. */
enum {
  TP_DONE = 0,          /* the time is over */
  TP_OTHER = 1,         /* something else is to be read, or a signal came */
  TP_RAW = 2,           /* a datagram as it came: not SRTP, or from an address that C does not know (any more) */
  TP_RTP = 3,           /* decrypted in place, and nothing noted of it */
  TP_RTCP = 4,          /* likewise */
  TP_REFUSED = 5,       /* SRTP that libsrtp refuses */
  TP_RTCP_REFUSED = 6,
  TP_ASKED = 7          /* forwarded as far as C does; some slots, or those beside them, want it from Python */
};

enum { TP_NO_CODEC = 0, TP_VOICE = 1, TP_VP8 = 2, TP_VP9 = 3, TP_H264 = 4, TP_AV1 = 5 };

/* A packet that is kept: media.relay.uplink.RingEntry without its descriptor. */
struct tp_kept {
  double at;
  uint8_t *payload;     /* malloc'ed, `room` bytes */
  uint32_t room;
  uint32_t ts;
  uint16_t seq;
  uint16_t size;
  uint16_t primary;
  int16_t level;
  uint8_t marker;
  uint8_t used;
};

/* media.relay.publication.Publication: the legs of its `active`, whether somebody beside them takes its packets, its gate. */
struct tp_published {
  struct tp_leg **legs;
  int32_t count;
  int32_t sinks;
  const int32_t *open;
  double *last_at;
  int64_t *forwarded;
};

/* media.relay.uplink.Uplink as far as C notes packets. Python writes it, too, but only while C waits. */
struct tp_source {
  uint64_t number;
  struct tp_published *published;
  int64_t *by_tid;      /* four */
  uint32_t ssrc;
  int32_t codec;
  int32_t fast;         /* 0: each packet of it is Python's */
  int32_t unheard;
  int32_t payload_type;
  int32_t rate;
  int64_t max_seq, cycles, packets, octets, transit, last_ts, last_pid, last_tl0, top_tid;
  double jitter, last_at;
  struct tp_kept *ring;
  uint32_t mask;
};

/* One peer, as somebody who sends: its decrypting context, what its SSRCs are, and what came with transport-wide numbers. */
struct tp_inbox {
  uint64_t number;
  void *rx;             /* srtp_t */
  int32_t sources;
  int32_t arrivals;
  struct tp_source *source[24];
  uint16_t arrival[128];
  double arrived_at[128];
  uint8_t role[256];    /* of a header extension, by id: media.wire.rtp.RtpReader */
};

/* An address that a peer sends from. Good while `*version` is what it was when Python made this. */
struct tp_origin {
  struct tp_origin *next;
  struct tp_inbox *inbox;
  const uint64_t *version;
  uint64_t seen;
  double *heard;        /* when media last came from it; NULL: this is not the address that media goes to */
  uint32_t hash;
  uint32_t length;
  uint8_t key[32];      /* sockaddr, and the endpoint's tag */
};

/* A feedback for Python, decrypted: it is read at the next tick, together with others. */
struct tp_told {
  uint64_t inbox;
  double at;
  int32_t length;
  uint8_t data[1400];
};

/* A voice's level (RFC 6464), for Python at the next tick. */
struct tp_level {
  uint64_t source;
  double at;
  int32_t level;
};

struct tp_endpoint {
  int32_t fd;
  int32_t tag;
  struct tp_batch *batch;
  double read_at, gap;  /* media.transport.mux.Endpoint */
  double pause_until;
  int32_t paused;
};

/* The state of receiving: one for all endpoints of a worker. */
struct tp_inlet {
  uint64_t unprotect, unprotect_rtcp, protect;  /* functions of libsrtp */
  double coalesce, busy, longest_gap, readings;  /* media.transport.mux */
  uint64_t *headers;    /* struct mmsghdr[TP_RECEIVE], of media.transport.mmsg.ReceiveBatch */
  struct tp_endpoint endpoint[8];
  int32_t endpoints;
  int32_t got, next;    /* of the batch that is being worked on */
  int32_t filled;       /* headers that the kernel has written into since */
  int32_t at;           /* the endpoint that it came to */
  double now;           /* when it came */
  int32_t index;        /* of the packet that tp_serve returned for, */
  int32_t size;         /* its length, decrypted where it is */
  uint64_t source;      /* TP_ASKED: what it is of, */
  int32_t seq;          /* its number there, */
  int32_t asked;        /* how many legs want it from Python, */
  int32_t startable;    /* and whether they may begin with it */
  int32_t told;
  int32_t levels;
  uint64_t forwards;
  uint64_t reads;       /* how often something was there to read, */
  uint64_t taken;       /* and how many packets Python has not seen */
  uint32_t seed;
  struct tp_told telling[64];
  struct tp_level level[64];
  struct tp_origin *bucket[4096];
};

/* Wait for packets and take them until `timeout` seconds have passed (-1: for ever), `other` can be read, or one is Python's. */
int tp_serve(struct tp_inlet *inlet, int other, double timeout);
/* Read one endpoint's socket once, at `now`, without waiting. TP_DONE: all that came was taken, or nothing came. */
int tp_take(struct tp_inlet *inlet, int endpoint, double now);
/* Go on with the batch of which a packet was Python's. */
int tp_resume(struct tp_inlet *inlet);

void tp_link(struct tp_inlet *inlet, struct tp_origin *origin);
void tp_unlink(struct tp_inlet *inlet, struct tp_origin *origin);

/* Keep a packet in the ring of its source; 0 where there is no memory, and nothing is kept under its number then. */
int tp_keep(struct tp_source *source, uint32_t ts, int seq, int marker, const uint8_t *payload, int size, int level, int primary, double at);
/* Forget every kept packet. */
void tp_forget(struct tp_source *source);
/* Make room for a ring of so many (a power of two): 0 where there is no memory. tp_close gives it back. */
int tp_open(struct tp_source *source, uint32_t size);
void tp_close(struct tp_source *source);
