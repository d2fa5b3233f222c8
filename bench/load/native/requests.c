// HTTP clients: each connection sends the next of the given requests when it has the answer to the one before. A server
// that closes after its answer is connected to again: that is what it costs its users.
#define _GNU_SOURCE
#include "load.h"

static char *requests;
static size_t requests_length, next_at;
static bool is_stopped;
static int waiting_count;

void start_requests(int port, int connections, const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) die(path);
  fseek(file, 0, SEEK_END);
  requests_length = (size_t)ftell(file);
  rewind(file);
  requests = malloc(requests_length);
  if (fread(requests, 1, requests_length, file) != requests_length) die(path);
  fclose(file);
  next_at = 0;
  is_stopped = false;
  set_activity(false, true);
  for (int i = 0; i < connections; i++) {
    struct connection *connection = calloc(1, sizeof *connection);
    connection->role = requester;
    start_connection(connection, port);
  }
}

static void send_next(struct connection *connection) {
  uint32_t length;
  if (is_stopped) return;
  memcpy(&length, requests + next_at, sizeof length);
  const char *request = requests + next_at + sizeof length;
  next_at = (next_at + sizeof length + length) % requests_length;
  connection->is_waiting = true;
  connection->sent_ns = now_ns();
  waiting_count++;
  counts.sent++;
  send_bytes(connection, request, length);
}

void requester_ready(struct connection *connection) {
  connection->state = ready;
  send_next(connection);
}

// A request that was under way may have been carried out, so it is not sent again but counted as failed.
void requester_ended(struct connection *connection) {
  if (connection->is_waiting) {
    connection->is_waiting = false;
    waiting_count--;
    counts.failed++;
  }
  if (is_stopped) return;
  counts.reopened++;
  start_connection(connection, connection->port);
}

// The length of the answer's body; -1 where none is named, which is taken for a failure.
static long body_length(const char *head, size_t length) {
  static const char name[] = "\r\ncontent-length:";
  for (size_t at = 0; at + sizeof name <= length; at++)
    if (strncasecmp(head + at, name, sizeof name - 1) == 0) return strtol(head + at + sizeof name - 1, NULL, 10);
  return -1;
}

static bool says_close(const char *head, size_t length) {
  static const char line[] = "\r\nconnection: close";
  for (size_t at = 0; at + sizeof line <= length; at++)
    if (strncasecmp(head + at, line, sizeof line - 1) == 0) return true;
  return false;
}

size_t requester_read(struct connection *connection, const char *bytes, size_t length) {
  const char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t head = (size_t)(end - bytes) + 4;
  long body = body_length(bytes, head);
  if (body > 0 && length < head + (size_t)body) return 0;
  if (!connection->is_waiting) counts.strange++;
  else {
    connection->is_waiting = false;
    waiting_count--;
    counts.answered++;
    add_latency(now_ns() - connection->sent_ns);
  }
  if (body < 0 || memcmp(bytes + 9, "200", 3) != 0) {
    if (counts.failed++ == 0) fprintf(stderr, "a request was answered: %.*s\n", (int)length, bytes);
  }
  if (!says_close(bytes, head)) send_next(connection);
  return head + (body > 0 ? (size_t)body : 0);
}

static bool all_answered(void) { return waiting_count == 0; }

void stop_requests(void) {
  is_stopped = true;
  set_activity(false, false);
  run_until(all_answered, 1000);
  counts.failed += (uint64_t)waiting_count;
}
