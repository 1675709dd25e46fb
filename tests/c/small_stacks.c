/*
 * The stack that a call needs: on a painted stack of a coroutine, with a page that faults below. The first argument names
 * the call, the second the most bytes that it may need, the third whether it is the first of the process ("first"), the
 * first of a thread ("thread"), or comes after others ("later"). With "handler" it runs in a signal handler, on an
 * alternate stack with no more room than the kernel's frame and those bytes.
 */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#define STACK (64 * KIB)
#define PAINT 0x5a

static ucontext_t back, there;
static unsigned char *stack;
static void *volatile got;

/* The deepest ways: the first use, a refill, pages, a mapping, memory that runs out. */
static void small(void) { got = malloc(36); }
static void zeroed(void) { got = calloc(10, 100); }
static void large(void) { got = malloc(200 * KIB); }
static void huge(void) { got = malloc(20 * MIB); }
static void aligned(void) { got = aligned_alloc(64 * KIB, 64 * KIB); }
static void nothing(void) { free(NULL); }
static void again(void) {
    void *block = malloc(100);
    for (size_t bytes = 1; bytes < 64 * MIB && block; bytes *= 7) block = realloc(block, bytes);
    got = block;
}
static void freed(void) {
    void *blocks[] = {malloc(24), malloc(5000), malloc(100 * KIB), malloc(9 * MIB)};
    for (int i = 0; i < 4; i++) free(blocks[i]);
}
static void many(void) {
    /* Every class, several slabs of each, and all of it back. */
    enum { BLOCKS = 30000 };
    void **blocks = malloc(BLOCKS * sizeof *blocks);
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = malloc(i % 300 * 37);
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    free(blocks);
}
static void trimmed(void) { malloc_trim(0); }
static void sized(void) { got = (void *)malloc_usable_size(malloc(3)); }
static void too_much(void) {
    /* Until a limit refuses, and all of it back. */
    void *last = NULL;
    for (int i = 0; i < 4000; i++) {
        void **block = malloc(64 * KIB);
        if (!block) break;
        memset(block, 1, 64 * KIB);
        *block = last;
        last = block;
    }
    while (last) {
        void *next = *(void **)last;
        free(last);
        last = next;
    }
}
static void forked(void) {
    pid_t child = fork();
    if (child == 0) {
        free(malloc(100));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} CALLS[] = {
    {"small", small},   {"zeroed", zeroed}, {"large", large}, {"huge", huge},       {"aligned", aligned},
    {"nothing", nothing}, {"again", again},   {"freed", freed}, {"many", many},       {"trimmed", trimmed},
    {"sized", sized},   {"forked", forked}, {"too_much", too_much},
};

static void (*call)(void);
static size_t most;

static void body(void) {
    call();
    swapcontext(&there, &back);
}

/* Maps a stack whose end faults, and returns its lowest byte. */
static unsigned char *map_stack(size_t bytes) {
    unsigned char *map = mmap(NULL, bytes + 64 * KIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED && mprotect(map + 64 * KIB, bytes, PROT_READ | PROT_WRITE) == 0);
    return map + 64 * KIB;
}

/* The bytes that `what` needs below its caller. */
static size_t needs(void (*what)(void)) {
    call = what;
    memset(stack, PAINT, STACK);
    CHECK(getcontext(&there) == 0);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = STACK;
    there.uc_link = NULL;
    makecontext(&there, body, 0);
    CHECK(swapcontext(&back, &there) == 0);
    size_t untouched = 0;
    while (untouched < STACK && stack[untouched] == PAINT) untouched++;
    return STACK - untouched;
}

static void empty(void) {}

static void *measured(void *what) {
    stack = map_stack(STACK);
    size_t own = needs(empty);
    size_t all = needs(*(void (**)(void))what);
    char line[80];
    int length = snprintf(line, sizeof line, "%zu bytes of stack\n", all - own);
    CHECK(write(1, line, (size_t)length) == length);
    CHECK(all - own <= most);
    return NULL;
}

static void on_signal(int number) {
    (void)number;
    call();
}

/* The same in a handler, on a stack that has just enough. */
static void handled(void (*what)(void)) {
    call = what;
    /* The frame and what the kernel rounds up, and this function's part. */
    size_t bytes = ((size_t)sysconf(_SC_MINSIGSTKSZ) + most + 256 + 15) & ~(size_t)15;
    size_t pages = (bytes + 4095) & ~(size_t)4095;
    stack_t alternate = {.ss_sp = map_stack(pages), .ss_size = bytes};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    most = strtoul(argv[2], NULL, 10);
    void (*what)(void) = NULL;
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
        if (strcmp(argv[1], CALLS[i].name) == 0) what = CALLS[i].run;
    CHECK(what);
    if (strcmp(argv[3], "later") == 0) {
        /* Some of everything, on a stack that is large. */
        again();
        many();
        freed();
        forked();
    }
    if (strcmp(argv[3], "handler") == 0) {
        handled(what);
    } else if (strcmp(argv[3], "thread") == 0) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, measured, &what) == 0 && pthread_join(thread, NULL) == 0);
    } else {
        measured(&what);
    }
    slubmalloc_is_in_charge();
    return done();
}
