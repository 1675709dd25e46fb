/*
 * What a fork costs that the heap is to blame for, counted: the child of a process with one thread has no page faults for the heap's sake. With an
 * argument N the process has N threads that have used their caches; then the child has no more faults than with two of
 * them, but for those on their stacks. With "due" memory has not gone back for some time in the parent, which is no
 * matter of the child's. With "sealed" a system call of the heap's kills.
 */
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

enum { FORKS = 20, BLOCKS = 600 };
static pthread_barrier_t warm;

static void work(void) {
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        CHECK((blocks[i] = malloc(16 + 13 * (size_t)i)) != NULL);
        *(char *)blocks[i] = 1;
    }
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
}

static void *idle(void *nothing) {
    work();
    pthread_barrier_wait(&warm);
    for (;;) pause();
    return nothing;
}

enum { NOTHING, A_BLOCK, MUCH };

static long faults_of_a_child(int allocates) {
    long least = -1;
    for (int i = 0; i < FORKS; i++) {
        struct rusage before, after;
        CHECK(getrusage(RUSAGE_CHILDREN, &before) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            if (allocates == A_BLOCK) free(malloc(100));
            if (allocates == MUCH) work();
            _exit(0);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        CHECK(getrusage(RUSAGE_CHILDREN, &after) == 0);
        long faults = after.ru_minflt - before.ru_minflt;
        if (least < 0 || faults < least) least = faults;
    }
    return least;
}

static void start(int threads) {
    pthread_barrier_init(&warm, NULL, (unsigned)threads + 1);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 131072);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &small, idle, NULL) == 0);
    }
    pthread_barrier_wait(&warm);
}

/* From here on only libc's own calls for a fork are let through; any other kills. */
static void allow_forks_alone(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(__NR_clone), ALLOW(__NR_wait4), ALLOW(__NR_set_robust_list), ALLOW(__NR_exit_group), ALLOW(__NR_getrusage),
        ALLOW(__NR_rt_sigprocmask), ALLOW(__NR_write), ALLOW(__NR_rseq),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) _exit(77);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    if (argc > 1 && strcmp(argv[1], "sealed") == 0) {
        free(malloc(100));
        allow_forks_alone();
        (void)faults_of_a_child(NOTHING);
        (void)faults_of_a_child(A_BLOCK);
        done();
        _exit(0);
    }
    if (argc > 1 && strcmp(argv[1], "due") == 0) {
        for (int i = 0; i < 100; i++) work();
        long before = faults_of_a_child(MUCH);
        usleep(500 * 1000);
        long due = faults_of_a_child(MUCH);
        printf("%ld faults in a child that works, %ld half a second after its parent did\n", before, due);
        CHECK_AT(due <= before + 4, due);
        fflush(stdout);
        done();
        _exit(0);
    }
    free(malloc(100));
    long lone = faults_of_a_child(NOTHING), lone_user = faults_of_a_child(A_BLOCK);
    /* A call or two of the fast paths: the thread's cache, its sheaf and the library's code. */
    printf("one thread: %ld faults in a child, %ld in one that allocates\n", lone, lone_user);
    CHECK_AT(lone_user <= lone + 8, lone_user);
    if (argc > 1) {
        start(2);
        long few = faults_of_a_child(NOTHING);
        start(atoi(argv[1]));
        long many = faults_of_a_child(NOTHING), many_user = faults_of_a_child(A_BLOCK);
        printf("%s threads: %ld faults in a child, with two %ld, in one that allocates %ld\n", argv[1], many, few, many_user);
        /* libc itself has one for each thread's stack. */
        CHECK_AT(many <= few + atoi(argv[1]) + 16, many);
        CHECK_AT(many_user <= many + 8, many_user);
    }
    fflush(stdout);
    done();
    _exit(0);
}
