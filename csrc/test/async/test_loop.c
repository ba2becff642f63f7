#define _GNU_SOURCE
#include "async/loop.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async/completion.h"
#include "base/clock.h"
#include "support/test.h"

void test_loop(void);

enum { POSTERS = 4, POSTS = 5000 };

typedef struct item {
  ldr_post post; /* first */
  int poster, number;
} item;

typedef struct served { /* the loop's */
  int next[POSTERS];
  int arrived, out_of_order, turns, bytes;
  int64_t due;
  ldr_watch watch; /* of a socket, whose bytes are counted */
} served;

static void arrived(void *ud, ldr_post *p) {
  served *s = ud;
  const item *x = (const item *)(const void *)p;
  s->out_of_order += x->number != s->next[x->poster];
  s->next[x->poster] = x->number + 1;
  s->arrived++;
}

static int64_t turn(void *ud) {
  served *s = ud;
  s->turns++;
  return s->due;
}

static const ldr_loop_ops ops = {arrived, turn};

static void readable(ldr_watch *w) {
  served *s = (served *)(void *)((char *)w - offsetof(served, watch));
  char buffer[16];
  ssize_t n = read(w->fd, buffer, sizeof buffer);
  if (n > 0) s->bytes += (int)n;
}

static ldr_loop *start(served *s) {
  ldr_loop *l = NULL;
  ldr_err err;
  s->due = LDR_NEVER;
  CHECK_INT(ldr_loop_new(&ops, s, &l, &err), LDR_OK);
  return l;
}

/* Waits until what(s) holds; asks between turns. */
static bool await(ldr_loop *l, served *s, bool (*what)(const served *s)) {
  int64_t end = ldr_deadline(20);
  for (;;) {
    bool yes;
    ldr_loop_lock(l);
    yes = what(s);
    ldr_loop_unlock(l);
    if (yes || ldr_now_mono() > end) return yes;
    usleep(200);
  }
}

static bool all_here(const served *s) { return s->arrived == POSTERS * POSTS; }
static bool three_bytes(const served *s) { return s->bytes == 3; }
static bool ten_turns(const served *s) { return s->turns >= 10; }

typedef struct poster {
  ldr_loop *loop;
  item *items;
} poster;

static void *post_all(void *ud) {
  poster *p = ud;
  for (int i = 0; i < POSTS; i++) ldr_loop_post(p->loop, &p->items[i].post);
  return NULL;
}

TEST(posts_arrive_once_and_in_order) {
  static item items[POSTERS][POSTS];
  pthread_t threads[POSTERS];
  poster posters[POSTERS];
  served s = {0};
  ldr_loop *l = start(&s);
  if (l == NULL) return;
  for (int t = 0; t < POSTERS; t++) {
    for (int i = 0; i < POSTS; i++) items[t][i] = (item){.poster = t, .number = i};
    posters[t] = (poster){l, items[t]};
    CHECK_INT(pthread_create(&threads[t], NULL, post_all, &posters[t]), 0);
  }
  for (int t = 0; t < POSTERS; t++) pthread_join(threads[t], NULL);
  ldr_loop_lock(l); /* everything posted before has arrived */
  CHECK_INT(s.arrived, POSTERS * POSTS);
  CHECK_INT(s.out_of_order, 0);
  ldr_loop_unlock(l);
  CHECK(await(l, &s, all_here));
  ldr_loop_free(l);
}

/* ---- after a lock ---- */

static void nothing_arrives(void *ud, ldr_post *p) {
  (void)ud;
  (void)p;
}

/* Long enough for the next lock to wait for it. */
static int64_t count_turn(void *ud) {
  atomic_fetch_add((atomic_int *)ud, 1);
  usleep(100);
  return LDR_NEVER;
}

/* Takes processor time, so that other threads are interrupted at every point. */
static void *disturb(void *ud) {
  const atomic_bool *stop = ud;
  while (!atomic_load(stop)) continue;
  return NULL;
}

/* Whoever locks the loop may leave work, so a turn follows, also when the thread was about to sleep: the next
 * lock comes as soon as the turn after the one before has begun. */
TEST(a_turn_follows_every_lock) {
  enum { DISTURBERS = 4 };
  pthread_t disturbers[DISTURBERS];
  atomic_bool stop = false;
  static const ldr_loop_ops counting = {nothing_arrives, count_turn};
  atomic_int turns = 0;
  ldr_loop *l = NULL;
  ldr_err err;
  bool followed = true;
  CHECK_INT(ldr_loop_new(&counting, &turns, &l, &err), LDR_OK);
  for (int i = 0; i < DISTURBERS; i++) CHECK_INT(pthread_create(&disturbers[i], NULL, disturb, &stop), 0);
  for (int i = 0; l && followed && i < 2000; i++) {
    int64_t until = ldr_deadline(30);
    int before;
    ldr_loop_lock(l);
    before = atomic_load(&turns);
    ldr_loop_unlock(l);
    while (atomic_load(&turns) == before && ldr_now_mono() < until) sched_yield();
    followed = atomic_load(&turns) > before;
  }
  CHECK(followed);
  atomic_store(&stop, true);
  for (int i = 0; i < DISTURBERS; i++) pthread_join(disturbers[i], NULL);
  ldr_loop_free(l);
}

TEST(descriptors_and_time_wake_the_loop) {
  int pair[2];
  served s = {0};
  ldr_loop *l = start(&s);
  if (l == NULL) return;
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ldr_loop_lock(l);
  s.watch.ready = readable;
  ldr_loop_watch(l, &s.watch, pair[0], LDR_READ);
  ldr_loop_unlock(l);
  CHECK_INT(write(pair[1], "abc", 3), 3);
  CHECK(await(l, &s, three_bytes));
  ldr_loop_lock(l);
  ldr_loop_unwatch(l, &s.watch, pair[0]);
  s.turns = 0;
  s.due = 0; /* over: a turn follows the other */
  ldr_loop_unlock(l);
  CHECK(await(l, &s, ten_turns));
  ldr_loop_lock(l);
  s.due = LDR_NEVER;
  ldr_loop_unlock(l);
  CHECK_INT(write(pair[1], "d", 1), 1);
  usleep(20000);
  ldr_loop_lock(l);
  CHECK_INT(s.bytes, 3); /* nobody watches */
  ldr_loop_unlock(l);
  ldr_loop_free(l);
  close(pair[0]);
  close(pair[1]);
}

/* ---- an owner who drives ---- */

typedef struct shared { /* work, and who did it */
  ldr_loop *loop;
  _Atomic ldr_load load;
  pthread_t owner;
  atomic_int by_owner, by_thread;
  int also;        /* an eventfd */
  atomic_int halt; /* 1: the thread's next turn stops before it lends (2), until 0 */
  served s;        /* its socket, by descriptors */
} shared;

static void shared_arrived(void *ud, ldr_post *p) {
  shared *x = ud;
  (void)p;
  atomic_fetch_add(pthread_equal(pthread_self(), x->owner) ? &x->by_owner : &x->by_thread, 1);
}

static int64_t shared_turn(void *ud) {
  shared *x = ud;
  if (!pthread_equal(pthread_self(), x->owner) && atomic_load(&x->halt) == 1) {
    atomic_store(&x->halt, 2);
    while (atomic_load(&x->halt)) usleep(10);
  }
  if (x->loop) ldr_loop_set_load(x->loop, atomic_load(&x->load));
  return LDR_NEVER;
}

static const ldr_loop_ops shared_ops = {shared_arrived, shared_turn};

static bool reaches(atomic_int *n, int want) {
  for (int64_t end = ldr_deadline(20); atomic_load(n) < want && ldr_now_mono() < end;) usleep(100);
  return atomic_load(n) >= want;
}

/* Its first turn is over, so that it has lent what it lends. */
static ldr_loop *start_shared(shared *x, ldr_load load) {
  static item first;
  ldr_err err;
  x->owner = pthread_self();
  atomic_store(&x->load, load);
  x->also = eventfd(0, EFD_CLOEXEC);
  CHECK_INT(ldr_loop_new(&shared_ops, x, &x->loop, &err), LDR_OK);
  if (x->loop == NULL) return NULL;
  ldr_loop_post(x->loop, &first.post);
  CHECK(reaches(&x->by_thread, 1));
  atomic_store(&x->by_thread, 0);
  ldr_loop_lock(x->loop); /* the turn has ended */
  ldr_loop_unlock(x->loop);
  return x->loop;
}

static void end_shared(shared *x) {
  ldr_loop_free(x->loop);
  close(x->also);
}

static bool readable_within(int fd, int milliseconds) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, milliseconds) == 1;
}
static bool readable_now(int fd) { return readable_within(fd, 0); }

TEST(an_owner_who_polls_takes_the_turns) {
  enum { N = 200 };
  static item items[N];
  int pair[2], fd;
  shared x = {0};
  ldr_loop *l = start_shared(&x, LDR_LIGHT);
  if (l == NULL) return;
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  fd = ldr_loop_fd(l, x.also);
  CHECK(fd >= 0 && !readable_now(fd));
  for (int i = 0; i < N; i++) {
    ldr_loop_post(l, &items[i].post);
    CHECK(readable_within(fd, 5000));
    ldr_loop_run_once(l);
  }
  CHECK(atomic_load(&x.by_owner) >
        N / 2); /* on a busy machine the thread thinks now and then that he is gone */
  CHECK_INT(atomic_load(&x.by_owner) + atomic_load(&x.by_thread), N);
  ldr_loop_lock(l);
  x.s.watch.ready = readable;
  ldr_loop_watch(l, &x.s.watch, pair[0], LDR_READ);
  ldr_loop_unlock(l);
  CHECK_INT(write(pair[1], "abc", 3), 3);
  CHECK(readable_within(fd, 5000));
  for (int i = 0; i < 1000 && !await(l, &x.s, three_bytes); i++) ldr_loop_run_once(l);
  CHECK(await(l, &x.s, three_bytes));
  CHECK_INT(eventfd_write(x.also, 1), 0);
  CHECK(readable_within(fd, 5000));
  end_shared(&x);
  close(pair[0]);
  close(pair[1]);
}

/* FT-r19 */
TEST(the_thread_goes_on_when_its_owner_does_not_come) {
  static item items[10];
  int fd;
  shared x = {0};
  ldr_loop *l = start_shared(&x, LDR_LIGHT);
  if (l == NULL) return;
  fd = ldr_loop_fd(l, x.also);
  ldr_loop_post(l, &items[0].post);
  CHECK(readable_within(fd, 5000));
  ldr_loop_run_once(l);
  for (int i = 1; i < 10; i++) { /* who drove a moment ago, and who did not */
    ldr_loop_post(l, &items[i].post);
    CHECK(reaches(&x.by_thread, i));
    if (i % 2) ldr_loop_run_once(l);
  }
  end_shared(&x);
}

/* Work that is handed over while a heavy turn ends, in which the thread lends: nobody asked the owner to
 * come. */
TEST(work_is_not_left_between_owner_and_thread) {
  enum { ROUNDS = 20 };
  static item items[2 * ROUNDS];
  int64_t best = LDR_NEVER;
  shared x = {0};
  ldr_loop *l = start_shared(&x, LDR_HEAVY);
  if (l == NULL) return;
  CHECK(ldr_loop_fd(l, x.also) >= 0);
  for (int i = 0; i < 2 * ROUNDS; i += 2) {
    int64_t from, took;
    atomic_store(&x.halt, 1);
    ldr_loop_post(l, &items[i].post);
    for (int64_t end = ldr_deadline(20); atomic_load(&x.halt) != 2 && ldr_now_mono() < end;) usleep(10);
    ldr_loop_post(l, &items[i + 1].post);
    atomic_store(&x.load, LDR_LIGHT);
    from = ldr_now_mono();
    atomic_store(&x.halt, 0);
    CHECK(reaches(&x.by_thread, i + 2));
    took = ldr_now_mono() - from;
    if (took < best) best = took;
    atomic_store(&x.load, LDR_HEAVY);
    ldr_loop_run_once(l);
  }
  CHECK(best < 4000); /* the thread looks on for 5 ms */
  end_shared(&x);
}

TEST(an_owner_does_not_drive_what_is_heavy) {
  static item items[100];
  shared x = {0};
  ldr_loop *l = start_shared(&x, LDR_HEAVY);
  if (l == NULL) return;
  CHECK(ldr_loop_fd(l, x.also) >= 0);
  for (int i = 0; i < 100; i++) {
    ldr_loop_post(l, &items[i].post);
    ldr_loop_run_once(l);
  }
  CHECK(reaches(&x.by_thread, 100));
  CHECK_INT(atomic_load(&x.by_owner), 0);
  end_shared(&x);
}

TEST(an_idle_loop_takes_what_is_handed_in_at_once) {
  static item items[100];
  shared x = {0};
  ldr_loop *l = start_shared(&x, LDR_IDLE);
  if (l == NULL) return;
  for (int i = 0; i < 100; i++) {
    usleep(atomic_load(&x.by_owner) ? 100 : 20000); /* the thread goes to sleep again, once it is let run */
    ldr_loop_submit_or_run(l, &items[i].post);
  }
  CHECK(atomic_load(&x.by_owner) > 0);
  for (int i = 0; i < 20000 && atomic_load(&x.by_owner) + atomic_load(&x.by_thread) < 100; i++) usleep(1000);
  CHECK_INT(atomic_load(&x.by_owner) + atomic_load(&x.by_thread), 100);
  end_shared(&x);
}

/* ---- descriptors that vanish ---- */

/* libpq closes a socket by itself; the next one gets its number. */
TEST(a_closed_descriptor_takes_nothing_from_the_next) {
  int old[2], new[2];
  served s = {0};
  ldr_watch gone = {.ready = readable};
  ldr_loop *l = start(&s);
  if (l == NULL) return;
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, old), 0);
  ldr_loop_lock(l);
  ldr_loop_watch(l, &gone, old[0], LDR_READ);
  CHECK_INT(close(old[0]), 0);
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, new), 0);
  CHECK_INT(new[0], old[0]);
  s.watch.ready = readable;
  ldr_loop_watch(l, &s.watch, new[0], LDR_READ);
  ldr_loop_unwatch(l, &gone, -1);
  ldr_loop_unlock(l);
  CHECK_INT(write(new[1], "abc", 3), 3);
  CHECK(await(l, &s, three_bytes));
  ldr_loop_free(l);
  close(old[1]);
  close(new[0]);
  close(new[1]);
}

/* FT-r17: a copy in a forked child keeps a closed socket in the kernel's set, and it is ready for ever. */
TEST(a_closed_descriptor_with_a_copy_disturbs_nobody) {
  int lost[2], other[2], copy;
  served s = {0};
  ldr_watch *gone = ldr_alloc(sizeof *gone);
  ldr_loop *l = start(&s);
  if (l == NULL) return;
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, lost), 0);
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
  copy = dup(lost[0]);
  ldr_loop_lock(l);
  gone->ready = readable;
  ldr_loop_watch(l, gone, lost[0], LDR_READ);
  s.watch.ready = readable;
  ldr_loop_watch(l, &s.watch, other[0], LDR_READ);
  close(lost[0]);
  ldr_loop_unwatch(l, gone, -1);
  ldr_free(gone);
  ldr_loop_unlock(l);
  close(lost[1]);
  usleep(50000);
  ldr_loop_lock(l);
  CHECK(s.turns < 50); /* not one after the other */
  ldr_loop_unlock(l);
  CHECK_INT(write(other[1], "abc", 3), 3);
  CHECK(await(l, &s, three_bytes));
  ldr_loop_free(l);
  close(copy);
  close(other[0]);
  close(other[1]);
}

/* Each post is answered by the next one, so that there always is one. */
typedef struct chain {
  served s; /* first */
  item items[2];
  ldr_loop *loop;
  ldr_watch watch;
  atomic_bool over;
  atomic_int bytes;
} chain;

static void read_on(ldr_watch *w) {
  chain *c = (chain *)(void *)((char *)w - offsetof(chain, watch));
  char byte;
  if (read(w->fd, &byte, 1) == 1) atomic_fetch_add(&c->bytes, 1);
}

static void post_again(void *ud, ldr_post *p) {
  chain *c = ud;
  c->s.arrived++;
  if (!atomic_load(&c->over)) ldr_loop_post(c->loop, p);
}

TEST(posts_without_end_starve_no_descriptor) {
  static const ldr_loop_ops endless = {post_again, turn};
  chain c = {0};
  ldr_err err;
  int pair[2];
  c.s.due = LDR_NEVER;
  CHECK_INT(ldr_loop_new(&endless, &c, &c.loop, &err), LDR_OK);
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  if (c.loop == NULL) return;
  ldr_loop_lock(c.loop);
  c.watch.ready = read_on;
  ldr_loop_watch(c.loop, &c.watch, pair[0], LDR_READ);
  ldr_loop_unlock(c.loop);
  ldr_loop_post(c.loop, &c.items[0].post);
  usleep(10000);
  CHECK_INT(write(pair[1], "abc", 3), 3);
  for (int64_t end = ldr_deadline(5); atomic_load(&c.bytes) < 3 && ldr_now_mono() < end;) usleep(500);
  CHECK_INT(atomic_load(&c.bytes), 3);
  atomic_store(&c.over, true);
  ldr_loop_free(c.loop);
  close(pair[0]);
  close(pair[1]);
}

TEST(a_forked_child_finds_the_loop_gone) {
  served s = {0};
  ldr_loop *l = start(&s);
  int status = 0;
  pid_t pid;
  if (l == NULL) return;
  CHECK(!ldr_loop_forked(l));
  pid = fork();
  if (pid == 0) {
    bool right = ldr_loop_forked(l);
    ldr_loop_free(l); /* waits for no thread */
    _exit(right ? 0 : 1);
  }
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK_INT(status, 0);
  CHECK(!ldr_loop_forked(l));
  ldr_loop_free(l);
}

/* ---- channels ---- */

TEST(tickets_come_in_order_and_are_signalled_once) {
  uint64_t got[300];
  ldr_completions *c = NULL;
  ldr_err err;
  CHECK_INT(ldr_completions_new(&c, &err), LDR_OK);
  for (uint64_t round = 0; round < 3; round++) {
    for (int i = 0; i < 260; i++) CHECK_INT(ldr_completions_reserve(c, &err), LDR_OK);
    CHECK(!readable_now(ldr_completions_fd(c)));
    for (uint64_t i = 0; i < 260; i++) ldr_completions_put(c, round * 1000 + i);
    CHECK(readable_now(ldr_completions_fd(c)));
    CHECK_INT(ldr_completions_take(c, got, 100), 100);
    CHECK(readable_now(ldr_completions_fd(c))); /* there are more */
    CHECK_INT(ldr_completions_take(c, got + 100, 200), 160);
    CHECK(!readable_now(ldr_completions_fd(c)));
    CHECK_INT(ldr_completions_take(c, got, 0), 0);
    for (uint64_t i = 0; i < 260; i++) CHECK_INT(got[i], round * 1000 + i);
  }
  ldr_completions_free(c);
}

static bool byte_within(int fd, int milliseconds) {
  char byte;
  return readable_within(fd, milliseconds) && read(fd, &byte, 1) == 1;
}

static bool gone_within(const char *path, int seconds) {
  for (int64_t end = ldr_deadline(seconds); ldr_now_mono() < end; usleep(500))
    if (access(path, F_OK) != 0) return true;
  return false;
}

TEST(a_socket_stands_in_for_the_descriptor) {
  served s = {0};
  ldr_loop *l = start(&s);
  ldr_completions *c = NULL;
  const char *path = NULL;
  char kept[108];
  uint64_t got[4];
  ldr_err err;
  int fd, other, status = 0;
  pid_t pid;
  CHECK_INT(ldr_completions_new(&c, &err), LDR_OK);
  if (l == NULL || c == NULL) return;
  for (int i = 0; i < 3; i++) CHECK_INT(ldr_completions_reserve(c, &err), LDR_OK);
  ldr_completions_put(c, 7); /* before anybody listens */
  ldr_loop_lock(l);
  CHECK_INT(ldr_completions_listen(c, l, &path, &err), LDR_OK);
  snprintf(kept, sizeof kept, "%s", path);
  ldr_loop_unlock(l);
  pid = fork(); /* another process is turned away */
  if (pid == 0) {
    char byte;
    fd = test_dial(kept);
    _exit(fd >= 0 && read(fd, &byte, 1) == 0 ? 0 : 1);
  }
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK_INT(status, 0);
  fd = test_dial(kept);
  CHECK(fd >= 0);
  CHECK(byte_within(fd, 5000));
  CHECK(gone_within(kept, 5));
  CHECK_INT(ldr_completions_take(c, got, 4), 1);
  CHECK_INT(got[0], 7);
  ldr_completions_put(c, 8);
  CHECK(byte_within(fd, 5000));
  ldr_loop_lock(l); /* a second one takes the place of the first */
  CHECK_INT(ldr_completions_listen(c, l, &path, &err), LDR_OK);
  snprintf(kept, sizeof kept, "%s", path);
  ldr_loop_unlock(l);
  other = test_dial(kept);
  CHECK(byte_within(other, 5000)); /* 8 still waits */
  CHECK(!byte_within(fd, 5000));   /* closed */
  CHECK_INT(ldr_completions_take(c, got, 4), 1);
  close(fd);
  close(other);
  ldr_loop_free(l);
  ldr_completions_free(c);
}

void test_loop(void) {
  RUN(posts_arrive_once_and_in_order);
  RUN(a_turn_follows_every_lock);
  RUN(descriptors_and_time_wake_the_loop);
  RUN(an_owner_who_polls_takes_the_turns);
  RUN(the_thread_goes_on_when_its_owner_does_not_come);
  RUN(work_is_not_left_between_owner_and_thread);
  RUN(an_owner_does_not_drive_what_is_heavy);
  RUN(an_idle_loop_takes_what_is_handed_in_at_once);
  RUN(a_closed_descriptor_takes_nothing_from_the_next);
  RUN(a_closed_descriptor_with_a_copy_disturbs_nobody);
  RUN(posts_without_end_starve_no_descriptor);
  RUN(a_forked_child_finds_the_loop_gone);
  RUN(tickets_come_in_order_and_are_signalled_once);
  RUN(a_socket_stands_in_for_the_descriptor);
}
