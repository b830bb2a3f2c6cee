/* What a subscriber's transport-wide feedback says, joined with what it was sent, and the trend of the delay.

   Python stays the reference: media.wire.twcc.parse_feedback, media.congestion.history.SentPackets.join and
   media.congestion.trend.Trend do the same, and tests compare them bit by bit. The bytes come from strangers (authenticated ones): nothing is
   read past `length`, nothing is written past an array, and a malformed feedback changes nothing. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "forward.h"
#include "feedback.h"

#define LOST_BIT 0x8000
#define REFERENCE_US 64000
#define DELTA_US 250
#define WRAP_US ((int64_t)REFERENCE_US << 24)
#define CLOCK_JUMP_US 3000000.0
#define NEVER INT64_MIN
#define UNDERUSE 0.0
#define NORMAL 1.0
#define OVERUSE 2.0

_Static_assert(sizeof ((struct tp_scratch *)0)->status >= TP_STATUSES + 13, "a chunk of 14 one-bit statuses may begin with the last");

static uint32_t get16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

/* draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1: how many statuses, or -1. Fills scratch->arrival. */
static int read_feedback(const uint8_t *body, int length, int64_t reference_us, struct tp_scratch *scratch) {
  uint8_t *status = scratch->status;
  int count = (int)get16(body + 2);
  if (!count || count > TP_STATUSES) return -1;
  int known = 0;
  int at = 8;
  while (known < count) {
    if (at + 2 > length) return -1;
    uint32_t word = get16(body + at);
    at += 2;
    if (!(word & 0x8000)) {
      int run = (int)(word & 0x1FFF);
      if (!run) return -1;
      if (run > count - known) run = count - known;
      memset(status + known, (int)(word >> 13), (size_t)run);
      known += run;
    } else if (word & 0x4000) { /* up to 6 past the last, of the other kind 13: status is longer by that */
      for (int shift = 12; shift >= 0; shift -= 2) status[known++] = (uint8_t)(word >> shift & 3);
    } else {
      for (int shift = 13; shift >= 0; shift--) status[known++] = (uint8_t)(word >> shift & 1);
    }
  }
  int64_t time_us = reference_us;
  for (int i = 0; i < count; i++) {
    int bytes = status[i];
    if (!bytes) {
      scratch->arrival[i] = NEVER;
      continue;
    }
    if (bytes == 3 || at + bytes > length) return -1;
    time_us += DELTA_US * (bytes == 1 ? (int)body[at] : (int)(int16_t)get16(body + at));
    at += bytes;
    scratch->arrival[i] = time_us;
  }
  return count;
}

/* To be added to the times of this feedback; false when the receiver's clock cannot be followed. */
static int unwrap(struct tp_history *h, int64_t reference_us, double now, int64_t *offset) {
  double seen_at = h->seen_at;
  int64_t before = h->reference;
  h->seen_at = now;
  *offset = 0;
  if (!h->heard) {
    h->heard = 1;
    h->reference = reference_us;
    return 1;
  }
  int64_t ahead = (reference_us - before + WRAP_US / 2) % WRAP_US;
  if (ahead < 0) ahead += WRAP_US;
  ahead -= WRAP_US / 2;
  if (fabs((double)ahead - (now - seen_at) * 1e6) > CLOCK_JUMP_US) {
    h->reference = reference_us;
    return 0;
  }
  h->reference = before + ahead;
  *offset = h->reference - reference_us;
  return 1;
}

/* Bytes sent between what was reported so far and `first`, still waited for. */
static int64_t unreported(struct tp_history *h, uint32_t first, uint32_t last) {
  if (h->reported < 0) {
    h->reported = (int32_t)last;
    return 0;
  }
  uint32_t reported = (uint32_t)h->reported;
  if (((last - reported) & 0xFFFF) < 0x8000) h->reported = (int32_t)last;
  uint32_t gap = (first - reported - 1) & 0xFFFF;
  if (gap > TP_UNREPORTED) return 0;
  int64_t sum = 0;
  for (uint32_t step = 1; step <= gap; step++) sum += h->size[(reported + step) & TP_SENT_MASK] & (LOST_BIT - 1);
  return sum;
}

int tp_join(struct tp_history *h, const uint8_t *body, int length, double now, struct tp_scratch *scratch) {
  if (length < 8) return -1;
  uint32_t base = get16(body);
  int64_t reference = (int64_t)body[4] << 16 | (int64_t)body[5] << 8 | body[6];
  if (reference >= 0x800000) reference -= 0x1000000;
  int64_t reference_us = reference * REFERENCE_US;
  int count = read_feedback(body, length, reference_us, scratch);
  if (count < 0) return -1;
  struct tp_joined joined = {.last_sent = -1.0, .latest = -1.0, .rtt = -1.0};
  int64_t offset;
  joined.restarted = !unwrap(h, reference_us, now, &offset);
  int age = (int)((*h->number - base) & 0xFFFF); /* numbers after `age` were never sent, those before `from` are forgotten */
  int from = age > TP_SENT_MASK ? age - TP_SENT_MASK : 0;
  int to = count < age + 1 ? count : age + 1;
  struct tp_result *result = scratch->result;
  int n = 0;
  double newest_sent = -1.0;
  int64_t gone = 0;
  for (int i = from; i < to; i++) {
    uint32_t index = (base + (uint32_t)i) & TP_SENT_MASK;
    uint32_t bytes = h->size[index];
    int64_t arrival = scratch->arrival[i];
    if (!bytes) continue;
    double sent = h->at[index];
    if (arrival == NEVER) {
      if (bytes >= LOST_BIT) continue;
      h->size[index] = (uint16_t)(bytes | LOST_BIT);
      joined.lost++;
      gone += bytes;
      if (!n || joined.latest < -1.0) joined.latest = -1.0;
      result[n++] = (struct tp_result){sent, -1.0, bytes};
      continue;
    }
    h->size[index] = 0;
    if (bytes > LOST_BIT) {
      bytes -= LOST_BIT;
      joined.recovered++;
    }
    newest_sent = sent;
    joined.received++;
    joined.received_bytes += bytes;
    double at = (double)(arrival + offset) * 1e-6;
    if (at < 0) gone += bytes;
    if (!n || at > joined.latest) joined.latest = at;
    result[n++] = (struct tp_result){sent, at, bytes};
  }
  if (from < to) joined.unreported = unreported(h, (base + (uint32_t)from) & 0xFFFF, (base + (uint32_t)to - 1) & 0xFFFF);
  if (n) joined.last_sent = result[n - 1].sent;
  if (joined.lost) joined.lost_bytes = gone;
  if (newest_sent >= 0) joined.rtt = now > newest_sent ? now - newest_sent : 0.0;
  scratch->joined = joined;
  scratch->results = n;
  return n;
}

/* ---- the trend of the delay */

/* Move the origin of the times to now and add up anew. */
static void resum(struct tp_trend *t, int window, double origin) {
  double shift = (origin - t->origin) * 1e3;
  t->origin = origin;
  t->sx = t->sy = t->sxx = t->sxy = 0.0;
  for (int i = 0; i < t->length; i++) {
    int at = (t->head + i) % window;
    double x = t->x[at] - shift, y = t->y[at];
    t->x[at] = x;
    t->sx += x;
    t->sy += y;
    t->sxx += x * x;
    t->sxy += x * y;
  }
}

static void detect(struct tp_trend *t, const struct tp_tuning *k, int patient, double slope, double sent_delta_ms, double now_ms) {
  double deltas = (double)t->deltas;
  double trend = t->trend = (k->max_deltas < deltas ? k->max_deltas : deltas) * slope * k->gain;
  double threshold = t->threshold;
  if (trend > threshold) {
    t->over_ms = t->over_ms < 0 ? sent_delta_ms / 2 : t->over_ms + sent_delta_ms;
    t->over_count++;
    if (t->over_ms > k->over_use_time && t->over_count > 1 && slope >= t->previous_slope) {
      t->over_ms = 0.0;
      t->over_count = 0;
      t->signal = OVERUSE;
    }
  } else {
    t->over_ms = -1.0;
    t->over_count = 0;
    t->signal = trend < -threshold ? UNDERUSE : NORMAL;
  }
  t->previous_slope = slope;
  double size = fabs(trend);
  if (size <= threshold + k->max_adapt) {
    double elapsed = 0.0;
    if (t->adapted_at >= 0) elapsed = 100.0 < now_ms - t->adapted_at ? 100.0 : now_ms - t->adapted_at;
    double gain = size >= threshold ? k->gain_up : patient ? k->patient_gain_down : k->gain_down;
    double adapted = threshold + gain * (size - threshold) * elapsed;
    if (k->min_threshold > adapted) adapted = k->min_threshold;
    t->threshold = k->max_threshold < adapted ? k->max_threshold : adapted;
  }
  t->adapted_at = now_ms;
}

static void take_group(struct tp_trend *t, const struct tp_tuning *k, int patient, double sent_delta, double arrival_delta,
                       double arrival) {
  int window = (int)k->window;
  t->deltas++;
  t->accumulated += (arrival_delta - sent_delta) * 1e3;
  double y = t->smoothed = k->smoothing * t->smoothed + (1 - k->smoothing) * t->accumulated;
  if (t->steps % (int64_t)k->resum == 0) resum(t, window, arrival);
  t->steps++;
  double x = (arrival - t->origin) * 1e3;
  if (t->length == window) {
    double old_x = t->x[t->head], old_y = t->y[t->head];
    t->sx -= old_x;
    t->sy -= old_y;
    t->sxx -= old_x * old_x;
    t->sxy -= old_x * old_y;
    t->head = (t->head + 1) % window;
    t->length--;
  }
  int at = (t->head + t->length) % window;
  t->x[at] = x;
  t->y[at] = y;
  t->length++;
  t->sx += x;
  t->sy += y;
  t->sxx += x * x;
  t->sxy += x * y;
  if (t->length == window) {
    double spread = window * t->sxx - t->sx * t->sx;
    double slope = spread > 1e-3 ? (window * t->sxy - t->sx * t->sy) / spread : 0.0;
    detect(t, k, patient, slope, sent_delta * 1e3, arrival * 1e3);
  }
}

void tp_follow(struct tp_trend *t, const struct tp_tuning *k, double threshold, int patient, const struct tp_scratch *scratch) {
  t->worst = -1.0;
  t->threshold = threshold;
  t->shortest = INFINITY;
  if (k->window < 1 || k->window > TP_WINDOW || k->resum < 1) return;
  for (int i = 0; i < scratch->results; i++) {
    double sent = scratch->result[i].sent, arrival = scratch->result[i].arrival;
    if (arrival < 0 || sent < t->first) continue;
    if (sent - t->first <= k->burst && t->first >= 0) {
      if (sent > t->sent) t->sent = sent;
      if (arrival > t->arrival) t->arrival = arrival;
      continue;
    }
    if (t->first >= 0) {
      double gap = arrival - t->arrival;
      if (gap <= k->burst && gap < sent - t->sent && sent - t->first < k->longest) {
        t->sent = sent;
        if (gap > 0) t->arrival = arrival;
        continue;
      }
      if (t->arrival - t->sent < t->shortest) t->shortest = t->arrival - t->sent;
      if (t->previous_sent >= 0) {
        take_group(t, k, patient, t->sent - t->previous_sent, t->arrival - t->previous_arrival, t->arrival);
        if (t->signal > t->worst) t->worst = t->signal;
      }
      t->previous_sent = t->sent;
      t->previous_arrival = t->arrival;
    }
    t->first = t->sent = sent;
    t->arrival = arrival;
  }
}
