/* Changes its group and its user while the allocator has a thread, in the process and in a child: libc has every thread of the
 * process do that, and waits for each. Wants purge_thread:on. */
#include "check.h"
#include <sys/wait.h>

static int threads(void) {
    char text[4096] = {0};
    int file = open("/proc/self/status", O_RDONLY);
    CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0 && close(file) == 0);
    return atoi(strstr(text, "Threads:") + 8);
}

static void change(void) {
    for (int i = 0; i < 5000 && threads() < 2; i++) {
        free(malloc((size_t)i * 100));
        usleep(1000);
    }
    CHECK(libc_allowed() || threads() > 1);
    /* Ends a wait without end. */
    alarm(30);
    for (int i = 0; i < 20; i++) {
        CHECK(setgid(getgid()) == 0);
        CHECK(setuid(getuid()) == 0);
    }
    alarm(0);
}

int main(void) {
    slubmalloc_is_in_charge();
    change();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        change();
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    return done();
}
