// Reads the commands and answers them.
#define _GNU_SOURCE
#include "load.h"

struct counts counts;
static struct counts counted;
static uint64_t counted_ns, counted_cpu_ns;
static char *line;
static size_t line_length, line_capacity;
static bool is_publishing, is_requesting;

// The value of a field of the line, as a string of its own; the default when there is none.
static char *field(char *command, const char *name, const char *otherwise) {
  size_t length = strlen(name);
  for (char *at = strchr(command, '\t'); at != NULL; at = strchr(at + 1, '\t'))
    if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '=') {
      char *value = at + 2 + length;
      return strndup(value, strcspn(value, "\t"));
    }
  return strdup(otherwise);
}

static double number(char *command, const char *name) {
  char *text = field(command, name, "0");
  double value = strtod(text, NULL);
  free(text);
  return value;
}

static void answer(const char *json) {
  puts(json);
  fflush(stdout);
}

static void open_some(char *command) {
  struct plan *plan = malloc(sizeof *plan);
  plan->path = field(command, "path", "/");
  plan->key = field(command, "key", "");
  plan->secret = field(command, "secret", "");
  plan->subscribe = field(command, "subscribe", "");
  plan->channel = field(command, "channel", "");
  char *role = field(command, "role", "receiver");
  int in_flight = (int)number(command, "inFlight");
  open_clients(plan, strcmp(role, "sender") == 0 ? sender : receiver, (int)number(command, "port"),
               (int)number(command, "count"), in_flight > 0 ? in_flight : 100);
  free(role);
  printf("{\"missing\":%d,\"refused\":%llu}\n", clients_missing(), (unsigned long long)counts.refused);
  fflush(stdout);
}

static void publish(char *command) {
  if (sender_count == 0 || is_publishing) {
    answer("{\"error\":\"publish needs a sender, and an end to what was published before\"}");
    return;
  }
  char *text = field(command, "text", "");
  is_publishing = true;
  start_publishing(text, (int)number(command, "window"), number(command, "perSecond"));
  free(text);
  answer("{}");
}

static void request(char *command) {
  char *file = field(command, "file", "");
  is_requesting = true;
  start_requests((int)number(command, "port"), (int)number(command, "connections"), file);
  free(file);
  answer("{}");
}

static void count(void) {
  struct timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  uint64_t cpu_ns = (uint64_t)cpu.tv_sec * 1000000000ull + (uint64_t)cpu.tv_nsec, now = now_ns();
  printf("{\"tookMs\":%.3f,\"loadCpuMs\":%.3f,\"sent\":%llu,\"delivered\":%llu,\"answered\":%llu,\"failed\":%llu,"
         "\"strange\":%llu,\"closed\":%llu,\"reopened\":%llu,\"p50Us\":%.1f,\"p99Us\":%.1f,\"worstUs\":%.1f,\"lateUs\":%.1f}\n",
         (double)(now - counted_ns) / 1e6, (double)(cpu_ns - counted_cpu_ns) / 1e6,
         (unsigned long long)(counts.sent - counted.sent), (unsigned long long)(counts.delivered - counted.delivered),
         (unsigned long long)(counts.answered - counted.answered), (unsigned long long)(counts.failed - counted.failed),
         (unsigned long long)(counts.strange - counted.strange), (unsigned long long)(counts.closed - counted.closed),
         (unsigned long long)(counts.reopened - counted.reopened), latency_us(0.5), latency_us(0.99), latency_us(1),
         (double)latest_ns() / 1e3);
  fflush(stdout);
  counted = counts;
  counted_ns = now;
  counted_cpu_ns = cpu_ns;
  clear_latencies();
}

static void stop(void) {
  if (is_publishing) stop_publishing();
  if (is_requesting) stop_requests();
  is_publishing = is_requesting = false;
  printf("{\"missing\":%llu,\"failed\":%llu}\n", (unsigned long long)missing_events(), (unsigned long long)counts.failed);
  fflush(stdout);
}

static void obey(char *command) {
  if (strncmp(command, "open\t", 5) == 0) open_some(command);
  else if (strncmp(command, "publish\t", 8) == 0) publish(command);
  else if (strncmp(command, "request\t", 8) == 0) request(command);
  else if (strcmp(command, "count") == 0) count();
  else if (strcmp(command, "stop") == 0) stop();
  else answer("{\"error\":\"no such command\"}");
}

void read_commands(void) {
  for (;;) {
    if (line_capacity - line_length < 65536) {
      line_capacity += 65536;
      line = realloc(line, line_capacity);
    }
    ssize_t size = read(STDIN_FILENO, line + line_length, line_capacity - line_length);
    if (size == 0) exit(0); // Whoever commanded is gone.
    if (size < 0) break;
    line_length += (size_t)size;
  }
  char *end;
  while ((end = memchr(line, '\n', line_length)) != NULL) {
    *end = '\0';
    obey(line);
    size_t used = (size_t)(end - line) + 1;
    memmove(line, line + used, line_length - used);
    line_length -= used;
  }
}
