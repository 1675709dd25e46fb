/*
 * A program that locks itself into a seccomp sandbox after its start: from there on the heap lives on
 * mmap munmap mremap mprotect madvise futex, and mbind getcpu on several nodes. Anything else kills.
 * With the argument "asked" it may also be asked by prctl whether there is a sandbox, which the heap does before it
 * would start a thread; it starts none then.
 */
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static pthread_barrier_t born, locked_in, finished;

static int may_be_asked, was_filtered;

static void lock_in(void) {
    /* A process that was born under a filter cannot be told from one under another; such a heap may start its thread. */
    int for_thread = may_be_asked && was_filtered;
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(__NR_mmap), ALLOW(__NR_munmap), ALLOW(__NR_mremap), ALLOW(__NR_mprotect), ALLOW(__NR_madvise),
        ALLOW(__NR_futex), ALLOW(__NR_read), ALLOW(__NR_write), ALLOW(__NR_exit), ALLOW(__NR_exit_group),
        ALLOW(__NR_rt_sigreturn), ALLOW(__NR_mbind), ALLOW(__NR_getcpu),
        ALLOW(may_be_asked ? __NR_prctl : __NR_mmap),
        ALLOW(for_thread ? __NR_getpid : __NR_mmap), ALLOW(for_thread ? __NR_clone3 : __NR_mmap),
        ALLOW(for_thread ? __NR_rt_sigprocmask : __NR_mmap), ALLOW(for_thread ? __NR_rseq : __NR_mmap),
        ALLOW(for_thread ? __NR_set_robust_list : __NR_mmap),
        /* glibc's own heap also needs brk. */
        ALLOW(libc_allowed() ? __NR_brk : __NR_mmap),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) _exit(77);
}

static void everything(void) {
    static const size_t sizes[] = {1, 64, 1000, 5000, 32768, 40000, 300000, 4 * MIB, 5 * MIB, 40 * MIB};
    for (int round = 0; round < 5; round++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            void *blocks[300];
            size_t count = sizes[s] > MIB ? 2 : 300;
            for (size_t i = 0; i < count; i++) {
                blocks[i] = i % 2 ? malloc(sizes[s]) : calloc(1, sizes[s]);
                CHECK_AT(blocks[i] != NULL, sizes[s]);
                paint(blocks[i], sizes[s], (unsigned)i);
            }
            for (size_t i = 0; i < count; i++) {
                CHECK_AT((blocks[i] = realloc(blocks[i], sizes[s] * 2)) != NULL, sizes[s]);
                CHECK_AT(painted(blocks[i], sizes[s] & ~(size_t)7, (unsigned)i), sizes[s]);
                CHECK_AT(malloc_usable_size(blocks[i]) >= sizes[s] * 2, sizes[s]);
                if (i % 3 == 0) CHECK_AT((blocks[i] = realloc(blocks[i], sizes[s] / 2 + 1)) != NULL, sizes[s]);
            }
            for (size_t i = 0; i < count; i++) free(blocks[i]);
            void *aligned = memalign(65536, sizes[s]);
            CHECK_AT(aligned != NULL, sizes[s]);
            free(aligned);
        }
    mallinfo2();
    malloc_trim(0);
    CHECK(malloc(PTRDIFF_MAX) == NULL);
}

/* This thread was started outside, but first meets the heap inside. */
static void *born_outside(void *unused) {
    pthread_barrier_wait(&born);
    pthread_barrier_wait(&locked_in);
    everything();
    pthread_barrier_wait(&finished);
    for (;;) pthread_barrier_wait(&locked_in); /* ending a thread takes other system calls */
    return unused;
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    may_be_asked = count > 1 && strcmp(words[1], "asked") == 0;
    was_filtered = prctl(PR_GET_SECCOMP) != 0;
    /* glibc's second arena would count the processors through files. */
    if (libc_allowed()) mallopt(M_ARENA_MAX, 1);
    pthread_barrier_t *barriers[] = {&born, &locked_in, &finished};
    for (int i = 0; i < 3; i++) CHECK(pthread_barrier_init(barriers[i], NULL, 3) == 0);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, born_outside, NULL) == 0);
    pthread_barrier_wait(&born);
    lock_in();
    pthread_barrier_wait(&locked_in);
    everything();
    pthread_barrier_wait(&finished);
    done();
    _exit(0);
}
