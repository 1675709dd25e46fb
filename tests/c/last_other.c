/*
 * What is left when the program's last other thread has ended: no thread of the heap's, none of the memory that was freed,
 * and no work. argv[1]: busy processes beside it; argv[2]: "requests" if one thread comes after the other for a second.
 */
#include "check.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { BLOCKS = 1000, BLOCK = 65536, MOST_BUSY = 8 };

static void *touches_much(void *unused) {
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        CHECK((blocks[i] = malloc(BLOCK)) != NULL);
        memset(blocks[i], 1, BLOCK);
    }
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    return unused;
}

static double milliseconds(clockid_t clock) {
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void run(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, touches_much, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

/* The number of the heap's own thread, 0 if it has none. */
static int purge_thread(void) {
    DIR *dir = opendir("/proc/self/task");
    int found = 0;
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        CHECK(read(fd, name, sizeof name - 1) >= 0);
        close(fd);
        if (strncmp(name, "slub-purge", 10) == 0) found = atoi(entry->d_name);
    }
    closedir(dir);
    return found;
}

static int may_unshare(void) {
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(unshare(CLONE_NEWUSER) != 0);
    CHECK(waitpid(child, &status, 0) == child);
    return status == 0;
}

int main(int count, char **words) {
    slubmalloc_is_in_charge();
    CHECK(count >= 2);
    int busy = atoi(words[1]), has_requests = count > 2;
    pid_t children[MOST_BUSY];
    CHECK(busy <= MOST_BUSY);
    if (!may_unshare()) return 77;
    purge_thread();
    size_t start = resident();
    for (int i = 0; i < busy; i++) {
        CHECK((children[i] = fork()) >= 0);
        if (children[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            alarm(30);
            for (;;) continue;
        }
    }
    int started = 0, last = 0;
    double begin = milliseconds(CLOCK_MONOTONIC);
    do {
        run();
        int seen = has_requests ? purge_thread() : 0;
        started += seen != 0 && seen != last;
        if (seen != 0) last = seen;
    } while (has_requests && milliseconds(CLOCK_MONOTONIC) - begin < 900);
    double joined = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    usleep(20000);
    CHECK(purge_thread() == 0);
    CHECK(unshare(CLONE_NEWUSER) == 0);
    usleep(1980000);
    size_t end = resident();
    double spent = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - joined;
    for (int i = 0; i < busy; i++) CHECK(kill(children[i], SIGKILL) == 0);
    printf("%zu -> %zu KiB, %.2f ms of processor time after the join, %d purge threads seen\n", start / KIB, end / KIB, spent,
           started);
    fflush(stdout);
    CHECK(libc_allowed() || spent <= 10);
    /* What a series of threads leaves may be what the next would need. */
    CHECK(libc_allowed() || has_requests || end <= start + 4 * MIB);
    /* The first may be seen on its way out. */
    CHECK(started <= 1);
    return done();
}
