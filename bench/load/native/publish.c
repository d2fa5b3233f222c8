// Who publishes what when, and who has got it. A client event reaches every receiver of its sender once and in order, so
// the n-th event that a receiver gets is the n-th that was sent: no event has to be looked into to know its delay.
#define _GNU_SOURCE
#include "load.h"

enum { sequence_digits = 8, ring = 1 << 15 };
static const char sequence_place[] = "#NUMBER#";

// A sender's message as a frame, and when it sent the last ones.
struct source {
  char *frame;
  size_t frame_length, header_length, sequence_at;
  struct connection *sender;
  uint64_t sent, outstanding, receivers;
  uint64_t *sent_at_ns;
};

static struct source *sources;
static int window;
static double interval_ns;
static uint64_t started_ns, due_count, worst_late_ns;
static size_t event_length;
static char *chunk;
static const unsigned char mask[4] = {0x9d, 0x2c, 0x71, 0xe6};

char *replaced(const char *text, const char *what, const char *with) {
  const char *at = strstr(text, what);
  char *result;
  if (at == NULL) return strdup(text);
  if (asprintf(&result, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what)) < 0) die("asprintf");
  return result;
}

size_t make_frame(char *into, int opcode, const char *payload, size_t length) {
  size_t header = 2;
  into[0] = (char)(0x80 | opcode);
  if (length < 126) into[1] = (char)(0x80 | length);
  else if (length < 65536) {
    into[1] = (char)(0x80 | 126);
    into[2] = (char)(length >> 8), into[3] = (char)length;
    header = 4;
  } else {
    into[1] = (char)0xff;
    for (int i = 0; i < 8; i++) into[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
    header = 10;
  }
  memcpy(into + header, mask, sizeof mask);
  header += sizeof mask;
  for (size_t i = 0; i < length; i++) into[header + i] = payload[i] ^ (char)mask[i & 3];
  return header + length;
}

static void prepare(struct source *source, struct connection *connection, const char *text) {
  char number[16];
  snprintf(number, sizeof number, "%d", connection->number);
  char *channel = replaced(connection->plan->channel, "#", number);
  char *message = replaced(text, "@channel@", channel);
  const char *place = strstr(message, sequence_place);
  size_t length = strlen(message);
  source->frame = malloc(length + 16);
  source->frame_length = make_frame(source->frame, 1, message, length);
  source->header_length = source->frame_length - length;
  source->sequence_at = place == NULL ? 0 : source->header_length + (size_t)(place - message);
  source->sender = connection;
  source->sent_at_ns = calloc(ring, sizeof *source->sent_at_ns);
  free(channel), free(message);
}

// Each message has a number of its own, masked like the rest.
static void number_frame(struct source *source) {
  if (source->sequence_at == 0) return;
  uint64_t rest = source->sent;
  for (int digit = sequence_digits - 1; digit >= 0; digit--, rest /= 10) {
    size_t at = source->sequence_at + (size_t)digit;
    source->frame[at] = (char)('0' + rest % 10) ^ (char)mask[(at - source->header_length) & 3];
  }
}

static void send_messages(struct source *source, int count, uint64_t sent_ns) {
  for (int i = 0; i < count; i++) {
    number_frame(source);
    memcpy(chunk + source->frame_length * (size_t)i, source->frame, source->frame_length);
    source->sent_at_ns[source->sent++ % ring] = sent_ns;
  }
  source->outstanding += source->receivers * (uint64_t)count;
  counts.sent += (uint64_t)count;
  send_bytes(source->sender, chunk, source->frame_length * (size_t)count);
}

static void forget_sources(void) {
  for (int i = 0; sources != NULL && i < sender_count; i++) free(sources[i].frame), free(sources[i].sent_at_ns);
  free(sources), free(chunk);
}

void start_publishing(const char *text, int window_size, double per_second) {
  forget_sources();
  sources = calloc((size_t)sender_count, sizeof *sources);
  window = window_size;
  interval_ns = per_second > 0 ? 1e9 / per_second : 0;
  for (int i = 0; i < sender_count; i++) {
    prepare(&sources[i], senders[i], text);
    senders[i]->source = &sources[i];
  }
  for (int i = 0; i < receiver_count; i++) {
    receivers[i]->source = &sources[i % sender_count];
    receivers[i]->source->receivers++;
    receivers[i]->received = 0;
  }
  chunk = malloc(sources[0].frame_length * (size_t)(window > 0 ? window : 1));
  event_length = 0;
  started_ns = now_ns();
  due_count = worst_late_ns = 0;
  set_activity(true, false);
  if (interval_ns == 0)
    for (int i = 0; i < sender_count; i++) send_messages(&sources[i], window, now_ns());
}

// By the clock: a message counts from when it was due, so that a pause of the load is not left out.
void publish_what_is_due(void) {
  if (interval_ns == 0) return;
  uint64_t now = now_ns();
  while ((double)(now - started_ns) >= (double)due_count * interval_ns) {
    uint64_t due_ns = started_ns + (uint64_t)((double)due_count * interval_ns);
    if (now - due_ns > worst_late_ns) worst_late_ns = now - due_ns;
    send_messages(&sources[due_count++ % (uint64_t)sender_count], 1, due_ns);
  }
}

uint64_t latest_ns(void) {
  uint64_t late = worst_late_ns;
  worst_late_ns = 0;
  return late;
}

// Most events are as long as the first; one that is not is looked into, for it may be an error.
static bool is_event(const char *payload, size_t length) {
  if (length == event_length) return true;
  if (memmem(payload, length, "\"bench", 6) == NULL && memmem(payload, length, "\"client-", 8) == NULL) return false;
  event_length = length;
  return true;
}

void event_arrived(struct connection *connection, const char *payload, size_t length, uint64_t arrived_ns) {
  struct source *source = connection->source;
  if (connection->role == sender || !is_event(payload, length)) {
    counts.strange++;
    return;
  }
  counts.delivered++;
  if (source == NULL) return;
  add_latency(arrived_ns - source->sent_at_ns[connection->received++ % ring]);
  if (--source->outstanding == 0 && window > 0) send_messages(source, window, now_ns());
}

uint64_t missing_events(void) {
  uint64_t missing = 0;
  for (int i = 0; i < sender_count; i++) missing += sources == NULL ? 0 : sources[i].outstanding;
  return missing;
}

static bool nothing_is_missing(void) { return missing_events() == 0; }

void stop_publishing(void) {
  window = 0;
  set_activity(false, false);
  run_until(nothing_is_missing, 1000);
}
