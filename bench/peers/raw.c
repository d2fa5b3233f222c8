// The floor: what the kernel takes for one `send` per recipient, from a loop in C over the same sockets. It speaks just
// enough for the load of these benchmarks, and checks nothing: every client has the same key of the upgrade, messages are
// short text frames, and an event is passed on as it came, in a frame made once. It prints its port.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

enum { table_size = 1 << 16, largest_read = 1 << 16 };

struct client {
  int fd, number;
  bool is_upgraded;
  struct channel *channel; // One each is enough here.
  char *in, *out;          // What is not complete yet; what the kernel did not take yet.
  size_t in_length, out_length;
};

struct channel {
  char *name;
  size_t name_length;
  struct client **members;
  int count, capacity;
};

static struct channel channels[table_size];
static int epoll, next_number = 1;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(struct client *client, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  epoll_ctl(epoll, operation, client->fd, &event);
}

// What the kernel does not take waits here, in order.
static void send_bytes(struct client *client, const char *bytes, size_t length) {
  if (client->out_length == 0) {
    ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return; // Its end is seen when it is read.
    if (sent == (ssize_t)length) return;
    if (sent > 0) bytes += sent, length -= (size_t)sent;
    watch(client, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }
  client->out = realloc(client->out, client->out_length + length);
  memcpy(client->out + client->out_length, bytes, length);
  client->out_length += length;
}

static void send_rest(struct client *client) {
  ssize_t sent = send(client->fd, client->out, client->out_length, MSG_NOSIGNAL);
  if (sent > 0) {
    client->out_length -= (size_t)sent;
    memmove(client->out, client->out + sent, client->out_length);
  }
  if (client->out_length == 0) watch(client, EPOLLIN, EPOLL_CTL_MOD);
}

static size_t make_frame(char *into, const char *payload, size_t length) {
  size_t header = length < 126 ? 2 : 4;
  into[0] = (char)0x81;
  into[1] = (char)(length < 126 ? length : 126);
  if (header == 4) into[2] = (char)(length >> 8), into[3] = (char)length;
  memcpy(into + header, payload, length);
  return header + length;
}

static void send_text(struct client *client, const char *text, size_t length) {
  char frame[1024];
  send_bytes(client, frame, make_frame(frame, text, length));
}

static struct channel *channel_named(const char *name, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)name[i]) * 16777619u;
  for (uint32_t at = hash % table_size;; at = (at + 1) % table_size) {
    struct channel *channel = &channels[at];
    if (channel->name == NULL) {
      channel->name = strndup(name, length);
      channel->name_length = length;
    }
    if (channel->name_length == length && memcmp(channel->name, name, length) == 0) return channel;
  }
}

// The last one in the text: the clients put it behind the data.
static struct channel *channel_in(const char *text, size_t length) {
  static const char key[] = "\"channel\":\"";
  const char *found = NULL, *end = text + length;
  for (const char *at = text; (at = memmem(at, (size_t)(end - at), key, sizeof key - 1)) != NULL; at++) found = at;
  if (found == NULL) return NULL;
  const char *name = found + sizeof key - 1;
  const char *quote = memchr(name, '"', (size_t)(end - name));
  return quote == NULL ? NULL : channel_named(name, (size_t)(quote - name));
}

static void subscribe(struct client *client, struct channel *channel) {
  char text[512];
  if (channel->count == channel->capacity) {
    channel->capacity = channel->capacity == 0 ? 8 : channel->capacity * 2;
    channel->members = realloc(channel->members, sizeof *channel->members * (size_t)channel->capacity);
  }
  channel->members[channel->count++] = client;
  client->channel = channel;
  int length = snprintf(text, sizeof text, "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"%s\",\"data\":\"{}\"}",
                        channel->name);
  send_text(client, text, (size_t)length);
}

static void publish(struct client *from, struct channel *channel, const char *text, size_t length) {
  static char frame[largest_read + 8];
  size_t frame_length = make_frame(frame, text, length);
  for (int i = 0; i < channel->count; i++)
    if (channel->members[i] != from) send_bytes(channel->members[i], frame, frame_length);
}

static void text_arrived(struct client *client, const char *text, size_t length) {
  static const char subscription[] = "{\"event\":\"pusher:subscribe\"", event[] = "{\"event\":\"client-";
  struct channel *channel = channel_in(text, length);
  if (channel == NULL) return;
  if (length > sizeof subscription && memcmp(text, subscription, sizeof subscription - 1) == 0) subscribe(client, channel);
  else if (length > sizeof event && memcmp(text, event, sizeof event - 1) == 0) publish(client, channel, text, length);
}

static size_t upgrade(struct client *client, const char *bytes, size_t length) {
  static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  char text[128];
  const char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  client->is_upgraded = true;
  send_bytes(client, answer, sizeof answer - 1);
  int size = snprintf(text, sizeof text,
                      "{\"event\":\"pusher:connection_established\",\"data\":\"{\\\"socket_id\\\":\\\"1.%d\\\"}\"}", client->number);
  send_text(client, text, (size_t)size);
  return (size_t)(end - bytes) + 4;
}

// One masked frame of up to 64 KiB; answers how long it is, 0 while it is not complete.
static size_t read_frame(struct client *client, unsigned char *bytes, size_t have) {
  if (have < 6) return 0;
  size_t length = bytes[1] & 127, header = length == 126 ? 8 : 6;
  if (have < header) return 0;
  if (length == 126) length = (size_t)bytes[2] << 8 | bytes[3];
  if (have < header + length) return 0;
  unsigned char *mask = bytes + header - 4, *payload = bytes + header;
  for (size_t i = 0; i < length; i++) payload[i] ^= mask[i & 3];
  if ((bytes[0] & 15) == 1) text_arrived(client, (char *)payload, length);
  return header + length;
}

static void leave(struct client *client) {
  struct channel *channel = client->channel;
  for (int i = 0; channel != NULL && i < channel->count; i++)
    if (channel->members[i] == client) channel->members[i--] = channel->members[--channel->count];
  close(client->fd);
  free(client->in), free(client->out), free(client);
}

// Answers whether the client is still there.
static bool readable(struct client *client) {
  static char bytes[2 * largest_read];
  size_t have = client->in_length, at = 0, used;
  memcpy(bytes, client->in, have);
  ssize_t size = recv(client->fd, bytes + have, sizeof bytes - have, 0);
  if (size <= 0 && (size == 0 || errno != EAGAIN)) {
    leave(client);
    return false;
  }
  have += size > 0 ? (size_t)size : 0;
  if (!client->is_upgraded) at = upgrade(client, bytes, have);
  while (client->is_upgraded && (used = read_frame(client, (unsigned char *)bytes + at, have - at)) > 0) at += used;
  client->in_length = have - at;
  client->in = realloc(client->in, client->in_length + 1);
  memcpy(client->in, bytes + at, client->in_length);
  return true;
}

static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    struct client *client = calloc(1, sizeof *client);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    client->fd = fd;
    client->number = next_number++;
    client->in = malloc(1);
    watch(client, EPOLLIN, EPOLL_CTL_ADD);
  }
}

static int listen_anywhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) die("listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

int main(void) {
  static struct epoll_event events[1024];
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  epoll = epoll_create1(0);
  int listener = listen_anywhere();
  struct epoll_event arrivals = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &arrivals);
  for (;;) {
    int count = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < count; i++) {
      struct client *client = events[i].data.ptr;
      if (client == NULL) accept_all(listener);
      else if (!(events[i].events & EPOLLIN) || readable(client))
        if (events[i].events & EPOLLOUT) send_rest(client);
    }
  }
}
