/*
 * From some moment on the kernel answers ENOMEM to the system calls that are named: malloc and the others answer null with
 * ENOMEM or find a way, what was given out stays whole, and the program ends as it would. Two threads, born before, share
 * the heap; they meet by spinning, since libc does not survive a futex that says no.
 */
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const struct {
    const char *name;
    int number;
} calls[] = {{"mmap", __NR_mmap},       {"munmap", __NR_munmap},   {"mremap", __NR_mremap}, {"mprotect", __NR_mprotect},
             {"madvise", __NR_madvise}, {"prctl", __NR_prctl},     {"futex", __NR_futex},   {"mbind", __NR_mbind},
             {"getcpu", __NR_getcpu},   {"clone3", __NR_clone3}};
enum { CALLS = sizeof calls / sizeof *calls, BLOCKS = 400 };

static int stage, refused;

static void reach(int wanted) {
    __atomic_add_fetch(&stage, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) < wanted) sched_yield();
}

static void deny(int count, char **names) {
    struct sock_filter rules[2 * CALLS + 2] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    int end = 1;
    for (int n = 0; n < count; n++)
        for (int c = 0; c < CALLS; c++)
            if (strcmp(names[n], calls[c].name) == 0) {
                rules[end++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[c].number, 0, 1);
                rules[end++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM);
            }
    CHECK(end == 1 + 2 * count);
    rules[end++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)end, rules};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) _exit(77);
}

/* What came back from the heap: a block, or null with ENOMEM. */
static int is_block(void *block) {
    if (block == NULL) {
        CHECK(errno == ENOMEM);
        __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
    }
    errno = 0;
    return block != NULL;
}

static void everything(void) {
    static const size_t sizes[] = {1, 64, 1000, 5000, 32768, 40000, 300000, 3 * MIB, 5 * MIB, 9 * MIB};
    for (int round = 0; round < 2; round++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            size_t size = sizes[s], count = size > MIB ? 2 : size > 30000 ? 20 : BLOCKS;
            void *blocks[BLOCKS] = {NULL};
            for (size_t i = 0; i < count; i++) {
                errno = 0;
                void *block = i % 7 == 0 ? memalign(65536, size) : i % 2 ? malloc(size) : calloc(1, size);
                if (is_block(block)) paint(blocks[i] = block, size, (unsigned)i);
            }
            for (size_t i = 0; i < count; i++) {
                if (blocks[i] == NULL) continue;
                void *moved = realloc(blocks[i], size * 2);
                if (is_block(moved)) blocks[i] = moved;
                CHECK_AT(painted(blocks[i], size & ~(size_t)7, (unsigned)i), size);
            }
            for (size_t i = 0; i < count; i++) free(blocks[i]);
            if (round == 1) malloc_trim(0);
        }
    errno = 0;
    CHECK(!is_block(malloc(PTRDIFF_MAX)));
}

static void *other(void *unused) {
    free(malloc(100));
    reach(2);
    reach(4);
    everything();
    reach(6);
    for (;;) pause();
    return unused;
}

int main(int count, char **names) {
    slubmalloc_is_in_charge();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, other, NULL) == 0);
    free(malloc(100));
    reach(2);
    deny(count - 1, names + 1);
    reach(4);
    everything();
    reach(6);
    /* Whatever is not needed for growth is done without. */
    for (int n = 1; n < count; n++)
        if (strcmp(names[n], "mmap") == 0 || strcmp(names[n], "mprotect") == 0) CHECK(refused > 2);
    mallinfo2();
    exit(done());
}
