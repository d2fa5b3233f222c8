// What the parts of the load share.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { connecting, upgrading, greeting, subscribing, ready, ended };
enum role { receiver, sender, requester };

struct connection {
  int fd;
  int port;
  enum state state;
  enum role role;
  int number;                 // Within its role.
  struct source *source;      // Of a sender: its own; of a receiver: who it hears.
  uint64_t received;
  const struct plan *plan;
  char *carry;                // What was read and is not complete yet.
  size_t carry_length, carry_capacity;
  char *out;                  // What the kernel did not take yet.
  size_t out_length;
  bool is_waiting;            // Of a requester: for an answer to what was sent then.
  uint64_t sent_ns;
};

// What clients of one `open` do alike.
struct plan {
  char *path, *key, *secret, *subscribe, *channel;
};

struct counts {
  uint64_t sent, delivered, answered, failed, strange, refused, closed, reopened;
};
extern struct counts counts;

// load.c
uint64_t now_ns(void);
_Noreturn void die(const char *what);
void start_connection(struct connection *connection, int port);
void send_bytes(struct connection *connection, const char *bytes, size_t length);
void run_until(bool (*is_done)(void), int patience_ms);
void set_activity(bool publishing, bool requesting);

// clients.c
void open_clients(const struct plan *plan, enum role role, int port, int count, int in_flight);
void client_upgrade(struct connection *connection);
size_t client_read(struct connection *connection, char *bytes, size_t length);
int clients_missing(void);

// publish.c
void start_publishing(const char *text, int window, double per_second);
void publish_what_is_due(void);
void event_arrived(struct connection *connection, const char *payload, size_t length, uint64_t arrived_ns);
void stop_publishing(void);
uint64_t missing_events(void);
uint64_t latest_ns(void);
char *replaced(const char *text, const char *what, const char *with);
size_t make_frame(char *into, int opcode, const char *payload, size_t length);
extern struct connection **senders, **receivers;
extern int sender_count, receiver_count;

// requests.c
void start_requests(int port, int connections, const char *file);
void requester_ready(struct connection *connection);
void requester_ended(struct connection *connection);
size_t requester_read(struct connection *connection, const char *bytes, size_t length);
void stop_requests(void);

// latency.c
void add_latency(uint64_t nanoseconds);
double latency_us(double share);
void clear_latencies(void);

// commands.c
void read_commands(void);
