/* Does to its descriptors, and to its blocks, what the arguments say, one after the other, and ends with "ok". */
#include "check.h"
#include <dirent.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int open_descriptors(void) {
    DIR *all = opendir("/proc/self/fd");
    CHECK(all != NULL);
    int count = 0;
    while (readdir(all) != NULL) count++;
    closedir(all);
    /* Two folders, and the folder's own descriptor. */
    return count - 3;
}

static void close_what_is_open(int from) {
    for (int fd = from; fd < 1 << 17; fd++) close(fd);
}

static void act(const char *what) {
    static char *kept;
    if (strcmp(what, "close2") == 0) CHECK(close(2) == 0);
    else if (strncmp(what, "reuse=", 6) == 0) {
        close(2);
        CHECK(open(what + 6, O_CREAT | O_TRUNC | O_RDWR, 0600) == 2 && write(2, "DATABASE", 8) == 8);
    } else if (strcmp(what, "closefrom") == 0) {
        void (*closes)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "closefrom");
        CHECK(closes != NULL);
        closes(3);
    } else if (strcmp(what, "range") == 0) {
        int (*closes)(unsigned, unsigned, int) = (int (*)(unsigned, unsigned, int))dlsym(RTLD_DEFAULT, "close_range");
        CHECK(closes != NULL && closes(3, ~0u, 0) == 0);
    } else if (strcmp(what, "kernel") == 0) CHECK(syscall(SYS_close_range, 3, ~0u, 0) == 0);
    else if (strcmp(what, "loop") == 0) {
        int limit = (int)sysconf(_SC_OPEN_MAX);
        for (int fd = 3; fd < limit; fd++) close(fd);
    } else if (strcmp(what, "each") == 0) close_what_is_open(3);
    else if (strcmp(what, "take") == 0) {
        /* Somebody else's file has the number of every descriptor from 3 on that was open. */
        close_what_is_open(3);
        int file = open("/dev/null", O_RDWR);
        CHECK(file == 3);
        for (int fd = 4; fd < 5000; fd++)
            if (dup2(file, fd) < 0) break;
    } else if (strcmp(what, "count") == 0) dprintf(1, "%d descriptors\n", open_descriptors());
    else if (strncmp(what, "chdir=", 6) == 0) CHECK(chdir(what + 6) == 0);
    else if (strcmp(what, "late") == 0) {
        /* A second free that shows when the program ends. */
        char *blocks[8];
        for (int i = 0; i < 8; i++) blocks[i] = escape(malloc(40));
        for (int i = 0; i < 8; i++) free(blocks[i]);
        free(escape(blocks[0]));
    } else if (strcmp(what, "overrun") == 0) {
        kept = escape(malloc(50));
        memset(kept, 'A', 51);
    } else if (strcmp(what, "twice") == 0) {
        char *block = escape(malloc(40));
        free(block);
        free(escape(block));
    } else if (strcmp(what, "fork") == 0) {
        /* The child goes on with the arguments, and the parent waits for it and does, too. */
        pid_t child = fork();
        CHECK(child >= 0);
        if (child > 0) {
            int status;
            dprintf(1, "child %d\n", (int)child);
            CHECK(waitpid(child, &status, 0) == child);
        }
    } else CHECK(!"a known word");
}

int main(int argc, char **argv) {
    struct rlimit no_core = {0, 0};
    slubmalloc_is_in_charge();
    setrlimit(RLIMIT_CORE, &no_core);
    free(escape(malloc(100)));
    for (int i = 1; i < argc; i++) act(argv[i]);
    return done();
}
