// WebSocket clients: the upgrade, the greeting, the subscription, then events, of which only the header is read.
#define _GNU_SOURCE
#include "hmac.h"
#include "load.h"

struct connection **senders, **receivers;
int sender_count, receiver_count;
static int ready_count, wanted_count;

int clients_missing(void) { return wanted_count - ready_count - (int)counts.refused; }

static bool all_ready(void) { return clients_missing() == 0; }

void open_clients(const struct plan *plan, enum role role, int port, int count, int in_flight) {
  struct connection ***list = role == sender ? &senders : &receivers;
  int *length = role == sender ? &sender_count : &receiver_count;
  *list = realloc(*list, sizeof **list * (size_t)(*length + count));
  for (int i = 0; i < count; i++) {
    if (clients_missing() >= in_flight) run_until(all_ready, 30000);
    struct connection *connection = calloc(1, sizeof *connection);
    connection->role = role;
    connection->number = *length;
    connection->plan = plan;
    (*list)[(*length)++] = connection;
    wanted_count++;
    start_connection(connection, port);
  }
  run_until(all_ready, 30000);
}

void client_upgrade(struct connection *connection) {
  char request[1024];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        connection->plan->path, connection->port);
  connection->state = upgrading;
  send_bytes(connection, request, (size_t)length);
}

static void send_text(struct connection *connection, int opcode, const char *payload, size_t length) {
  char *frame = malloc(length + 16);
  send_bytes(connection, frame, make_frame(frame, opcode, payload, length));
  free(frame);
}

static char *channel_of(const struct connection *connection) {
  char number[16];
  snprintf(number, sizeof number, "%d", connection->number);
  return replaced(connection->plan->channel, "#", number);
}

// The greeting holds JSON in a JSON string: the socket id is the digits and the dot after its name.
static void greeted(struct connection *connection, const char *payload, size_t length) {
  const char *at = memmem(payload, length, "socket_id", 9), *end = payload + length;
  if (at == NULL) return;
  while (at < end && (*at < '0' || *at > '9')) at++;
  const char *digits = at;
  while (at < end && ((*at >= '0' && *at <= '9') || *at == '.')) at++;

  const struct plan *plan = connection->plan;
  char *channel = channel_of(connection), *signed_text, *auth, signature[65];
  if (asprintf(&signed_text, "%.*s:%s", (int)(at - digits), digits, channel) < 0) die("asprintf");
  hmac_sha256(plan->secret, signed_text, signature);
  if (asprintf(&auth, "%s:%s", plan->key, signature) < 0) die("asprintf");
  char *named = replaced(plan->subscribe, "@channel@", channel);
  char *text = replaced(named, "@auth@", auth);
  connection->state = subscribing;
  send_text(connection, 1, text, strlen(text));
  free(channel), free(signed_text), free(auth), free(named), free(text);
}

static void text_arrived(struct connection *connection, const char *payload, size_t length, uint64_t arrived_ns) {
  if (connection->state == ready) event_arrived(connection, payload, length, arrived_ns);
  else if (connection->state == greeting) greeted(connection, payload, length);
  else if (memmem(payload, length, "subscription_succeeded", 22) != NULL) {
    connection->state = ready;
    ready_count++;
  } else {
    counts.refused++;
    fprintf(stderr, "a client was told: %.*s\n", (int)length, payload);
  }
}

// How long the header of a frame is; 0 while it is not complete.
static size_t frame_header(const unsigned char *bytes, size_t have, uint64_t *payload_length) {
  if (have < 2) return 0;
  uint64_t length = bytes[1] & 127;
  size_t header = length == 127 ? 10 : length == 126 ? 4 : 2;
  if (have < header) return 0;
  if (header > 2) {
    length = 0;
    for (size_t i = 2; i < header; i++) length = length << 8 | bytes[i];
  }
  *payload_length = length;
  return header;
}

size_t client_read(struct connection *connection, char *bytes, size_t length) {
  size_t at = 0;
  uint64_t arrived_ns = now_ns(), payload;
  if (connection->state == upgrading) {
    char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    if (length < 12 || memcmp(bytes + 9, "101", 3) != 0) fprintf(stderr, "no upgrade: %.*s\n", (int)(end - bytes), bytes);
    at = (size_t)(end - bytes) + 4;
    connection->state = greeting;
  }
  for (;;) {
    size_t header = frame_header((unsigned char *)bytes + at, length - at, &payload);
    if (header == 0 || length - at < header + payload) return at;
    int opcode = bytes[at] & 15;
    if (opcode == 1) text_arrived(connection, bytes + at + header, payload, arrived_ns);
    else if (opcode == 9) send_text(connection, 10, bytes + at + header, payload);
    else if (opcode != 8) counts.strange++;
    at += header + payload;
  }
}
