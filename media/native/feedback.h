/* What Python and C share of feedback: read by cffi as it stands, so plain declarations only. */

enum {
  TP_STATUSES = 16384,  /* media.wire.twcc: MAX_STATUSES */
  TP_UNREPORTED = 1024, /* media.congestion.history: MAX_UNREPORTED */
  TP_WINDOW = 64        /* media.congestion.trend: WINDOW is not longer */
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
  struct tp_result result[8192];
  int64_t arrival[16384];  /* us, INT64_MIN where lost */
  uint8_t status[16400];
};

/* Read a feedback and look its packets up: how many results, or -1 where it is malformed and nothing was changed. */
int tp_join(struct tp_history *history, const uint8_t *body, int length, double now, struct tp_scratch *scratch);

/* media.congestion.trend.TUNING, in its order. */
struct tp_tuning {
  double burst, longest, window, smoothing, gain, max_deltas, min_threshold, max_threshold, gain_up, gain_down, patient_gain_down,
      max_adapt, over_use_time, resum;
};

/* One subscriber's media.congestion.trend.Trend. The first of it are read together, in this order. */
struct tp_trend {
  double worst;         /* signal of the worst group completed, -1: none was */
  double signal, trend, threshold, shortest, arrival;
  double first, sent, previous_sent, previous_arrival;
  double accumulated, smoothed, sx, sy, sxx, sxy, origin, adapted_at, over_ms, previous_slope;
  int64_t deltas, steps, over_count;
  int32_t head, length; /* of the window: its oldest entry, and how many */
  double x[64];
  double y[64];
};

/* Take the results in `scratch` into the trend. */
void tp_follow(struct tp_trend *trend, const struct tp_tuning *tuning, double threshold, int patient, const struct tp_scratch *scratch);
