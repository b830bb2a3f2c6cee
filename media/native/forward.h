/* What Python and C share: read by cffi as it stands, so plain declarations only. See __init__.py for who owns what. */

enum {
  TP_BATCH = 256,       /* media.transport.sizes.SEND_BATCH */
  TP_PACKET = 2048,     /* media.transport.sizes.PACKET_BYTES */
  TP_PAYLOAD = 1836,    /* media.relay.forward.MAX_PAYLOAD_BYTES */
  TP_NUMBERS_MASK = 255, /* media.relay.downlink: NUMBERS_MASK */
  TP_SENT_MASK = 8191   /* media.congestion.history: MASK */
};

/* Packets that leave through one socket. The arrays belong to media.transport.mmsg.SendBatch; `names` to the owner of this struct. */
struct tp_batch {
  uint8_t *memory[256];
  uint64_t *iov;        /* struct iovec[TP_BATCH]: word 2i is the base, 2i+1 the length */
  uint64_t *headers;    /* struct mmsghdr[TP_BATCH], 8 words each */
  uint8_t names[7168];  /* 28 bytes each: where C's own packets go */
  int32_t fd;
  uint32_t count;
  uint64_t sent;
  uint64_t dropped;
  uint64_t calls;       /* of the kernel */
  int32_t gso;          /* 0: never join datagrams of one size into one send */
  int32_t gso_refused;
};

/* Buffers of media.congestion.history.SentPackets: the transport-wide number given last, and what was sent under each. */
struct tp_wire {
  uint32_t *number;     /* NULL: no such numbers are given */
  double *at;           /* seconds, TP_SENT_MASK + 1 of them */
  uint16_t *size;       /* bytes after protection */
};

/* One slot of one subscriber. C reads it and counts; Python writes everything else, and only between packets. */
struct tp_leg {
  uint64_t source;      /* the layer that it shows, 0 for none */
  uint64_t pending;     /* the layer that it waits to switch to, 0 for none */
  int32_t careful;      /* each packet of `source` is Python's business (a layer is being left out, or sending is paced) */
  uint32_t ssrc;
  uint32_t ts_off;
  uint16_t seq_off;
  uint16_t pid_off;
  uint8_t tl0_off;
  uint8_t first;        /* byte 0 of the header */
  uint8_t payload_type;
  uint8_t level_at;     /* where the audio level stands, 0: nowhere */
  uint8_t opening;      /* bytes of `head`: up to the transport-wide number, 0 without one */
  uint8_t tail;         /* bytes of `rest` */
  uint8_t name_length;
  uint8_t head[8];
  uint8_t rest[32];
  uint8_t name[28];     /* sockaddr */
  void *tx;             /* srtp_t */
  struct tp_batch *batch;
  struct tp_wire *wire;
  uint16_t *numbers;    /* the transport-wide number of each packet by its own, TP_NUMBERS_MASK + 1 of them; NULL: not kept */
  uint64_t packets;
  uint64_t octets;      /* of payload */
  uint64_t refused;
};

/* One plain packet to forward. -1 where a field is absent; offsets count from the start of the payload. */
struct tp_packet {
  uint64_t source;
  double now;
  uint32_t ts;
  uint16_t seq;
  uint8_t marker;
  uint8_t startable;    /* a picture can begin here: those who wait for this layer switch */
  int32_t level;
  int32_t pid_bits;
  int32_t pid_at;
  int32_t pid;
  int32_t tl0_at;
  int32_t tl0;
};

/* Legs that show the source get the packet; returns how many, and in `*asked` how many legs need Python for it. */
int tp_send(struct tp_leg **legs, int n, const struct tp_packet *packet, const uint8_t *payload, int size,
            uint64_t protect, int32_t *asked);
void tp_flush(struct tp_batch *batch);
