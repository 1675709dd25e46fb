/*
 * Records a program's allocation calls, for replaying them under other allocators.
 *
 *   TRACE_FILE=/tmp/raw TRACE_EVENTS=1000000 LD_PRELOAD=./recorder.so program
 *
 * Each process writes its own file, TRACE_FILE.PID: 32 bytes an event, in the order in which the
 * calls happened over all threads, until TRACE_EVENTS are full. `trace pack` makes a compact trace of it.
 *
 * Invariant: one lock is held over each call and its event, so that no address is given out again
 * before the event that freed it is written. Calls go to the C library's own allocator.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void __libc_free(void *);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum kind { NONE, MALLOC, CALLOC, REALLOC, MEMALIGN, FREE };

/* A file ends at its first event of kind NONE: the kernel fills what is not written with zeros. */
struct event {
    uint8_t kind;
    uint8_t alignment_log2;
    uint16_t unused;
    uint32_t thread;
    uint64_t before;
    uint64_t after;
    uint64_t size;
};
_Static_assert(sizeof(struct event) == 32, "the packer reads 32 bytes an event");

static struct event *events;
static size_t capacity;
static size_t count;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static atomic_uint threads;
static __thread uint32_t thread __attribute__((tls_model("initial-exec")));

static void enter(void)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
        sched_yield();
}

static void leave(void)
{
    atomic_flag_clear_explicit(&lock, memory_order_release);
}

/* Called under the lock. */
static void record(enum kind kind, void *before, void *after, size_t size, size_t alignment)
{
    if (count == capacity)
        return;
    if (thread == 0)
        thread = atomic_fetch_add(&threads, 1) + 1;
    events[count++] = (struct event){
        .kind = kind,
        .alignment_log2 = alignment ? __builtin_ctzl(alignment) : 0,
        .thread = thread - 1,
        .before = (uintptr_t)before,
        .after = (uintptr_t)after,
        .size = size,
    };
}

/* The child of a fork is another program with the same file: it records nothing. */
static void stop_in_child(void)
{
    capacity = count = 0;
    leave();
}

__attribute__((constructor)) static void start(void)
{
    const char *prefix = getenv("TRACE_FILE");
    const char *limit = getenv("TRACE_EVENTS");
    size_t wanted = limit ? strtoul(limit, NULL, 10) : 1000000;
    char name[4096];
    if (!prefix || snprintf(name, sizeof name, "%s.%d", prefix, (int)getpid()) >= (int)sizeof name)
        return;
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || ftruncate(file, (off_t)(wanted * sizeof *events)) != 0)
        return;
    void *mapping = mmap(NULL, wanted * sizeof *events, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapping == MAP_FAILED)
        return;
    pthread_atfork(NULL, NULL, stop_in_child);
    enter();
    events = mapping;
    capacity = wanted;
    leave();
}

void *malloc(size_t size)
{
    enter();
    void *block = __libc_malloc(size);
    if (block)
        record(MALLOC, NULL, block, size, 0);
    leave();
    return block;
}

void free(void *block)
{
    if (!block)
        return;
    enter();
    record(FREE, block, NULL, 0, 0);
    __libc_free(block);
    leave();
}

void *calloc(size_t number, size_t size)
{
    enter();
    void *block = __libc_calloc(number, size);
    if (block)
        record(CALLOC, NULL, block, number * size, 0);
    leave();
    return block;
}

void *realloc(void *old, size_t size)
{
    enter();
    void *block = __libc_realloc(old, size);
    if (block)
        record(old ? REALLOC : MALLOC, old, block, size, 0);
    else if (old && size == 0)
        record(FREE, old, NULL, 0, 0);
    leave();
    return block;
}

void *reallocarray(void *old, size_t number, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(number, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

void *memalign(size_t alignment, size_t size)
{
    enter();
    void *block = __libc_memalign(alignment, size);
    if (block)
        record(MEMALIGN, NULL, block, size, alignment);
    leave();
    return block;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    int before = errno;
    void *block = memalign(alignment, size);
    errno = before;
    if (!block)
        return ENOMEM;
    *result = block;
    return 0;
}

void *valloc(size_t size)
{
    return memalign((size_t)sysconf(_SC_PAGESIZE), size);
}
