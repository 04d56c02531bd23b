// ways WAY PAIRS SECONDS [TICK_US]: one thread that relays UDP between pairs of sockets as relay.c does, in each of the ways that the
// media threads could take. Ends when nothing came for a second and a half.
//   1 epoll, recvfrom and sendto        2 the same until nothing is left in the socket
//   3 epoll, connected sockets          4 the same, awake at ticks alone
//   5 epoll edge-triggered, recvmmsg    6 io_uring: receives that go on, provided buffers, sends in batches
//   7 the same, awake at ticks alone
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum { LONGEST = 2048, BATCH = 4, BUFFERS = 4096, ROOM = 512 };
static const int64_t SECOND = 1000000000;
static int *sockets, count, way;
static int64_t tick_us, started, last;
static double seconds;
static struct sockaddr_in target[2];

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

static struct sockaddr_in at(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void await_tick(void) {
  int64_t ns = tick_us * 1000, due = (now() / ns + 1) * ns;
  struct timespec t = {due / SECOND, due % SECOND};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int over(void) {
  int64_t t = now();
  return t - started > seconds * SECOND || (last && t - last > SECOND * 3 / 2);
}

static void pass_on(int k) {
  static unsigned char buffer[BATCH][LONGEST];
  if (way == 5) {
    static struct mmsghdr heads[BATCH];
    static struct iovec parts[BATCH];
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){buffer[i], LONGEST};
      heads[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    int got = recvmmsg(sockets[k], heads, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) send(sockets[k ^ 1], buffer[i], heads[i].msg_len, 0);
    return;
  }
  do {
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t got = recvfrom(sockets[k], buffer[0], LONGEST, 0, (void *)&from, &len);
    if (got <= 0) return;
    if (way <= 2) sendto(sockets[k ^ 1], buffer[0], got, 0, (void *)&target[k & 1], sizeof target[0]);
    else send(sockets[k ^ 1], buffer[0], got, 0);
  } while (way == 2);
}

static void by_epoll(void) {
  static struct epoll_event events[512];
  int poll = epoll_create1(0);
  for (int k = 0; k < count; k++) {
    struct epoll_event event = {way == 5 ? EPOLLIN | EPOLLET : EPOLLIN, {.u32 = k}};
    epoll_ctl(poll, EPOLL_CTL_ADD, sockets[k], &event);
  }
  while (!over()) {
    if (tick_us) await_tick();
    int ready = epoll_wait(poll, events, 512, tick_us ? 0 : 20);
    if (ready > 0) last = now();
    for (int i = 0; i < ready; i++) pass_on(events[i].data.u32);
  }
}

static struct io_uring ring;

static struct io_uring_sqe *entry(void) {
  struct io_uring_sqe *free = io_uring_get_sqe(&ring);
  if (free) return free;
  io_uring_submit(&ring);
  return io_uring_get_sqe(&ring);
}

static void receive(int k) {
  struct io_uring_sqe *want = entry();
  io_uring_prep_recv_multishot(want, k, NULL, 0, 0);
  want->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  want->buf_group = 1;
  want->user_data = k;
}

static void by_ring(void) {
  struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                   .cq_entries = 16384};
  static unsigned char memory[BUFFERS][ROOM];
  struct io_uring_buf_ring *buffers;
  int refused = io_uring_queue_init_params(4096, &ring, &params);
  if (refused) { fprintf(stderr, "io_uring: %s\n", strerror(-refused)); exit(1); }
  io_uring_register_files(&ring, sockets, count);
  if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf))) exit(1);
  struct io_uring_buf_reg about = {.ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS, .bgid = 1};
  io_uring_buf_ring_init(buffers);
  refused = io_uring_register_buf_ring(&ring, &about, 0);
  if (refused) { fprintf(stderr, "io_uring: %s\n", strerror(-refused)); exit(1); }
  for (int i = 0; i < BUFFERS; i++) io_uring_buf_ring_add(buffers, memory[i], ROOM, i, BUFFERS - 1, i);
  io_uring_buf_ring_advance(buffers, BUFFERS);
  for (int k = 0; k < count; k++) receive(k);
  io_uring_submit(&ring);
  while (!over()) {
    struct __kernel_timespec patience = {0, 20000000};
    struct io_uring_cqe *done;
    if (tick_us) { await_tick(); io_uring_submit_and_get_events(&ring); }
    else io_uring_submit_and_wait_timeout(&ring, &done, 1, &patience, NULL);
    unsigned head, seen = 0;
    int returned = 0;
    io_uring_for_each_cqe(&ring, head, done) {
      seen++;
      if (done->user_data >> 32) {
        int buffer = done->user_data & 0xffff;
        io_uring_buf_ring_add(buffers, memory[buffer], ROOM, buffer, BUFFERS - 1, returned++);
        continue;
      }
      int k = done->user_data;
      if (done->res > 0 && done->flags & IORING_CQE_F_BUFFER) {
        int buffer = done->flags >> IORING_CQE_BUFFER_SHIFT;
        struct io_uring_sqe *out = entry();
        io_uring_prep_send(out, k ^ 1, memory[buffer], done->res, MSG_DONTWAIT);
        out->flags |= IOSQE_FIXED_FILE;
        out->user_data = 1ull << 32 | buffer;
        last = now();
      }
      if (!(done->flags & IORING_CQE_F_MORE)) receive(k);
    }
    io_uring_cq_advance(&ring, seen);
    if (returned) io_uring_buf_ring_advance(buffers, returned);
    if (tick_us) io_uring_submit(&ring);
  }
}

int main(int arguments, char **argument) {
  if (arguments < 4) { fprintf(stderr, "ways WAY PAIRS SECONDS [TICK_US]\n"); return 2; }
  way = atoi(argument[1]);
  count = 2 * atoi(argument[2]);
  seconds = atof(argument[3]);
  tick_us = way == 4 || way == 7 ? arguments > 4 ? atoi(argument[4]) : 1000 : 0;
  prctl(PR_SET_TIMERSLACK, 1000);
  target[0] = at(40002);
  target[1] = at(40000);
  sockets = calloc(count, sizeof *sockets);
  for (int k = 0; k < count; k++) {
    struct sockaddr_in own = at(10000 + 4 * (k / 2) + 2 * (k & 1));
    sockets[k] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    // What io_uring held is closed a little after its process has ended.
    int refused, tries = 0;
    while ((refused = bind(sockets[k], (void *)&own, sizeof own)) && errno == EADDRINUSE && tries++ < 100)
      nanosleep(&(struct timespec){0, 20000000}, NULL);
    if (refused) { perror("bind"); return 1; }
    if (way > 2) connect(sockets[k], (void *)&target[!(k & 1)], sizeof own);
  }
  started = now();
  if (way < 6) by_epoll();
  else by_ring();
}
