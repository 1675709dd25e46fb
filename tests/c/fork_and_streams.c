/*
 * fork among threads that hold streams: one allocates while it holds a FILE's lock, as getline does, one
 * flushes all streams, one forks. libc takes its lock on the list of streams in the middle of fork.
 */
#include "check.h"
#include <pthread.h>
#include <sys/wait.h>

static FILE *stream;
static volatile int stop;

static void *writes(void *unused) {
    while (!stop) {
        flockfile(stream);
        for (int i = 0; i < 50; i++) free(malloc(100000));
        fputc('x', stream);
        funlockfile(stream);
    }
    return unused;
}

static void *flushes(void *unused) {
    while (!stop) fflush(NULL);
    return unused;
}

int main(void) {
    slubmalloc_is_in_charge();
    CHECK((stream = fopen("/dev/null", "w")) != NULL);
    pthread_t writer, flusher;
    CHECK(pthread_create(&writer, NULL, writes, NULL) == 0);
    CHECK(pthread_create(&flusher, NULL, flushes, NULL) == 0);
    for (int i = 0; i < 500; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            free(malloc(100));
            fputc('y', stream);
            _exit(fflush(NULL) != 0);
        }
        int status;
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    stop = 1;
    CHECK(pthread_join(writer, NULL) == 0 && pthread_join(flusher, NULL) == 0);
    return done();
}
