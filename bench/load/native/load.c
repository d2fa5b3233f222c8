// The load: WebSocket clients that publish and count, and HTTP clients that repeat signed requests. One thread. Commands
// come on standard input, one a line, as fields separated by tabs: the verb, then key=value. Each is answered by one line
// of JSON, in order. What the clients say is given by whoever commands; of what they are sent only the headers are read.
//
//   open     port, count, inFlight, path, secret, key, subscribe (text), channel, role (sender or receiver)
//            `#` in a channel is the number of the client within its role; answers when all are subscribed.
//   publish  text, and window (messages in one chunk, the next when all receivers have them) or perSecond
//   request  port, connections, file (of requests, each after its length in 4 bytes): each connection sends the next
//            when it has the answer to the one before
//   count    what happened since the last count
//   stop     ends publishing or requesting and answers what is still missing after a second
#define _GNU_SOURCE
#include "load.h"

static int epoll;
static bool is_publishing, is_requesting, has_commands;
static char read_buffer[1 << 20];

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

_Noreturn void die(const char *what) {
  printf("{\"error\":\"%s: %s\"}\n", what, strerror(errno));
  fflush(stdout);
  exit(1);
}

static void watch(struct connection *connection, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll, operation, connection->fd, &event) != 0) die("epoll_ctl");
}

void start_connection(struct connection *connection, int port) {
  static int next_address;
  int one = 1;
  // A reset leaves no port behind that must wait, and several source addresses give more ports than one.
  struct linger reset = {1, 0};
  struct sockaddr_in source = {.sin_family = AF_INET}, target = {.sin_family = AF_INET};
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connection->fd < 0) die("socket");
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  source.sin_addr.s_addr = htonl(0x7f000002 + (uint32_t)(next_address++ % 16));
  if (bind(connection->fd, (struct sockaddr *)&source, sizeof source) != 0) die("bind");
  target.sin_addr.s_addr = htonl(0x7f000001);
  target.sin_port = htons((uint16_t)port);
  connection->port = port;
  connection->state = connecting;
  connection->carry_length = 0;
  if (connect(connection->fd, (struct sockaddr *)&target, sizeof target) != 0 && errno != EINPROGRESS) die("connect");
  watch(connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
}

void send_bytes(struct connection *connection, const char *bytes, size_t length) {
  if (connection->out_length == 0) {
    ssize_t sent = send(connection->fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return; // The end of the connection is seen when it is read.
    if (sent == (ssize_t)length) return;
    if (sent > 0) bytes += sent, length -= (size_t)sent;
    watch(connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }
  connection->out = realloc(connection->out, connection->out_length + length);
  memcpy(connection->out + connection->out_length, bytes, length);
  connection->out_length += length;
}

static void send_rest(struct connection *connection) {
  ssize_t sent = send(connection->fd, connection->out, connection->out_length, MSG_NOSIGNAL);
  if (sent > 0) {
    connection->out_length -= (size_t)sent;
    memmove(connection->out, connection->out + sent, connection->out_length);
  }
  if (connection->out_length == 0) watch(connection, EPOLLIN, EPOLL_CTL_MOD);
}

static void end_connection(struct connection *connection) {
  close(connection->fd);
  connection->fd = -1;
  connection->out_length = 0;
  if (connection->role == requester) {
    requester_ended(connection);
    return;
  }
  if (connection->state != ready) counts.refused++;
  counts.closed++;
  connection->state = ended;
}

static void connected(struct connection *connection) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    end_connection(connection);
    return;
  }
  watch(connection, EPOLLIN, EPOLL_CTL_MOD);
  if (connection->role == requester) requester_ready(connection);
  else client_upgrade(connection);
}

// Reads once. What is not complete waits in `carry`; its owner answers how many bytes it took.
static void readable(struct connection *connection) {
  size_t held = connection->carry_length;
  memcpy(read_buffer, connection->carry, held);
  ssize_t size = recv(connection->fd, read_buffer + held, sizeof read_buffer - held, 0);
  if (size <= 0) {
    if (size == 0 || errno != EAGAIN) end_connection(connection);
    return;
  }
  size_t have = held + (size_t)size;
  size_t taken = connection->role == requester ? requester_read(connection, read_buffer, have)
                                               : client_read(connection, read_buffer, have);
  size_t left = have - taken;
  if (left > connection->carry_capacity) {
    connection->carry = realloc(connection->carry, left);
    connection->carry_capacity = left;
  }
  memcpy(connection->carry, read_buffer + taken, left);
  connection->carry_length = left;
}

static int turn(int timeout_ms) {
  static struct epoll_event events[8192];
  int count = epoll_wait(epoll, events, 8192, timeout_ms);
  for (int i = 0; i < count; i++) {
    struct connection *connection = events[i].data.ptr;
    if (connection == NULL) has_commands = true;
    else if (connection->fd >= 0 && events[i].events & EPOLLOUT) {
      if (connection->state == connecting) connected(connection);
      else send_rest(connection);
    }
    if (connection != NULL && connection->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
      readable(connection);
  }
  return count;
}

// Asks every 100 us instead of being woken: waking would cost the server's processor, which is what is measured.
static void busy_turn(void) {
  struct timespec pause = {0, 100000};
  if (turn(0) < 64) nanosleep(&pause, NULL);
}

void run_until(bool (*is_done)(void), int patience_ms) {
  uint64_t deadline = now_ns() + (uint64_t)patience_ms * 1000000ull;
  while (!is_done() && now_ns() < deadline) busy_turn();
}

void set_activity(bool publishing, bool requesting) {
  is_publishing = publishing;
  is_requesting = requesting;
}

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_TIMERSLACK, 1);
  epoll = epoll_create1(0);
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  struct epoll_event commands = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &commands) != 0) die("epoll_ctl of standard input");
  for (;;) {
    if (!is_publishing && !is_requesting) turn(-1);
    else {
      if (is_publishing) publish_what_is_due();
      busy_turn();
    }
    if (has_commands) {
      has_commands = false;
      read_commands();
    }
  }
}
