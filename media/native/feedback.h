/* What Python and C share of feedback: read by cffi as it stands, so plain declarations only. */

enum {
  TP_STATUSES = 16384,  /* media.wire.twcc: MAX_STATUSES */
  TP_UNREPORTED = 1024  /* media.congestion.history: MAX_UNREPORTED */
};

/* One subscriber's media.congestion.history.SentPackets: its buffers, and what it knows of the receiver's clock. */
struct tp_history {
  uint32_t *number;     /* the transport-wide number given last */
  double *at;           /* seconds, TP_SENT_MASK + 1 of them */
  uint16_t *size;       /* bytes after protection, 0x8000 added once counted as lost; 0: nothing is waited for */
  int64_t reference;    /* us, unwrapped; while `heard` */
  double seen_at;
  int32_t heard;
  int32_t reported;     /* the last number in a feedback, -1: none yet */
};

struct tp_result {
  double sent;
  double arrival;       /* -1: lost */
  int64_t size;
};

/* Two packets' groups one after the other, as media.congestion.delay takes them. */
struct tp_delta {
  double sent;
  double arrival;
  double at;
};

/* media.congestion.history.Joined, in its order. `rtt` is last: -1 where it is not known. */
struct tp_joined {
  int64_t received, received_bytes, lost, lost_bytes, recovered, unreported;
  double last_sent, latest;
  int64_t restarted;
  double rtt;
};

/* Memory for one feedback at a time: the newest one's results are what the library knows. */
struct tp_scratch {
  struct tp_joined joined;
  int32_t results;
  struct tp_delta deltas[8192];
  struct tp_result result[8192];
  int64_t arrival[16384];  /* us, INT64_MIN where lost */
  uint8_t status[16400];
};

/* Read a feedback and look its packets up: how many results, or -1 where it is malformed and nothing was changed. */
int tp_join(struct tp_history *history, const uint8_t *body, int length, double now, struct tp_scratch *scratch);

/* media.congestion.groups.group: `state` is first, sent, arrival, previous sent, previous arrival, shortest delay. Returns how many. */
int tp_group(double *state, double burst, double longest, struct tp_scratch *scratch);
