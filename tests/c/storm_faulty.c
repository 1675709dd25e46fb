/*
 * libc's heap with one fault, -DFAULT=NAME, to be compiled into a storm: so it is known that the storm would notice.
 * Needs glibc's __libc_ names.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum {
    NONE,         /* the frame itself */
    TWICE,        /* one block is handed out twice */
    LOSES,        /* one free in ten is forgotten */
    LOCKED,       /* a lock that fork does not know */
    INTERRUPTED,  /* a signal during a wait counts as a failure */
    STRAY_THREAD, /* a thread of the heap's own that takes signals */
    WRONG_ERRNO,  /* a refusal that does not say why */
    LOST_ON_FAIL, /* a realloc that is refused frees its block */
    POINT,        /* malloc is a cancellation point */
    WRAPPED,      /* a figure that went below zero */
    TOO_USABLE,   /* malloc_usable_size says more than there is */
    LONG_FRAME,   /* needs more stack than the smallest has */
    DIES_EARLY,   /* a thread whose keys are being destroyed has no heap */
};

static atomic_size_t calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int one_in(size_t many) { return atomic_fetch_add(&calls, 1) % many == many - 1; }

static void *sleeps(void *unused) {
    for (;;) pause();
    return unused;
}

static _Thread_local int known, dead;
static pthread_key_t key;

static void dies(void *unused) {
    (void)unused;
    dead = 1;
}

static size_t (*usable_of)(void *);

__attribute__((constructor)) static void begins(void) {
    usable_of = (size_t (*)(void *))dlsym(RTLD_NEXT, "malloc_usable_size");
    if (FAULT == DIES_EARLY) pthread_key_create(&key, dies);
    if (FAULT != STRAY_THREAD) return;
    pthread_t thread;
    pthread_create(&thread, NULL, sleeps, NULL);
}

static void needs_stack(void) {
    volatile char frame[32 * 1024];
    for (size_t i = sizeof frame; i > 0; i -= 512) frame[i - 1] = 1;
}

/* Before each allocation; whether it may be. */
static int may_allocate(void) {
    struct timespec moment = {0, 1000};
    switch (FAULT) {
    case LOCKED:
        pthread_mutex_lock(&lock);
        usleep(1); /* is held for long */
        pthread_mutex_unlock(&lock);
        return 1;
    case INTERRUPTED: return !one_in(20) || nanosleep(&moment, NULL) == 0;
    case POINT: pthread_testcancel(); return 1;
    case LONG_FRAME: needs_stack(); return 1;
    case DIES_EARLY:
        if (!known) known = 1, pthread_setspecific(key, &known);
        return !dead;
    default: return 1;
    }
}

static void *refused(void) {
    errno = FAULT == WRONG_ERRNO ? EAGAIN : ENOMEM;
    return NULL;
}

/* The block that may be handed out a second time. */
static _Atomic(void *) before;

size_t malloc_usable_size(void *block) {
    return usable_of(block) + (FAULT == TOO_USABLE ? 64 : 0);
}

/* What may have two owners never goes back to libc, which would find out before the storm does. */
static int is_kept(void *block) {
    return FAULT == TWICE && usable_of != NULL && block != NULL && malloc_usable_size(block) <= 256;
}

void *malloc(size_t size) {
    if (!may_allocate()) return refused();
    if (FAULT == TWICE && size > 32 && size <= 64) {
        void *again = atomic_exchange(&before, NULL);
        if (again != NULL && one_in(20)) return again;
    }
    void *block = __libc_malloc(size);
    if (FAULT == TWICE && size > 64 && size <= 128) before = block;
    return block != NULL ? block : refused();
}

void *calloc(size_t count, size_t size) {
    if (!may_allocate()) return refused();
    void *block = __libc_calloc(count, size);
    return block != NULL ? block : refused();
}

void *memalign(size_t align, size_t size) {
    void *block = __libc_memalign(align, size);
    return block != NULL ? block : refused();
}

void *realloc(void *block, size_t size) {
    if (is_kept(block) && size > 0) {
        void *copy = malloc(size);
        size_t usable = malloc_usable_size(block);
        if (copy != NULL) memcpy(copy, block, usable < size ? usable : size), free(block);
        return copy;
    }
    void *moved = __libc_realloc(block, size);
    if (moved != NULL || size == 0) return moved;
    if (FAULT == LOST_ON_FAIL) memset(block, 0, 1), __libc_free(block);
    return refused();
}

void free(void *block) {
    if (FAULT == LOSES && one_in(10)) return;
    if (is_kept(block)) {
        atomic_compare_exchange_strong(&before, &(void *){block}, NULL);
        return;
    }
    __libc_free(block);
}

struct mallinfo2 mallinfo2(void) {
    struct mallinfo2 info = {0};
    if (FAULT == WRAPPED) info.uordblks -= 16;
    return info;
}
