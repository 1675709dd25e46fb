/*
 * vfork with exec, posix_spawn, system and popen from eight threads while four others allocate; argv[1]: children in
 * all. A child is this program again: it works in its own heap and ends with the code that it was told.
 */
#include "storm.h"
#include <spawn.h>

extern char **environ;

enum { SPAWNERS = 8, BUSY = 4, SHELF = 32 };

static atomic_size_t spawned;
static size_t all;
static atomic_int stop;
static char self[PATH_MAX];

static int as_child(const char *code) {
    slubmalloc_is_in_charge();
    alarm(PATIENCE_SECONDS);
    uint64_t random = strtoul(code, NULL, 10);
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    turns(shelf, SHELF, &random, 30);
    clear(shelf, SHELF);
    return atoi(code);
}

/* Between vfork and exec the child shares the heap of a parent whose other threads go on. */
static pid_t by_vfork(const char *code) {
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, "storm_spawn", "ends", code, (char *)NULL);
        _exit(126);
    }
    return pid;
}

static pid_t by_spawn(char *code) {
    char *words[] = {self, "ends", code, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;
    CHECK(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) == 0);
    CHECK(posix_spawn(&pid, self, &actions, &attributes, words, environ) == 0);
    CHECK(posix_spawn_file_actions_destroy(&actions) == 0 && posix_spawnattr_destroy(&attributes) == 0);
    return pid;
}

static void by_shell(const char *code) {
    char command[PATH_MAX + 32], said[32] = "";
    snprintf(command, sizeof command, "'%s' ends %s", self, code);
    FILE *stream = popen("echo hello", "r");
    CHECK(stream != NULL && fgets(said, sizeof said, stream) != NULL && strcmp(said, "hello\n") == 0);
    CHECK(pclose(stream) == 0);
    int status = system(command);
    CHECK_AT(WIFEXITED(status) && WEXITSTATUS(status) == atoi(code), status);
}

static void *spawns(void *number) {
    uint64_t random = (uintptr_t)number * 7919;
    struct block shelf[SHELF] = {{NULL, 0, 0}};
    while (atomic_fetch_add(&spawned, 1) < all) {
        char code[16];
        snprintf(code, sizeof code, "%d", 1 + (int)(random_of(&random) % 125));
        uint64_t way = random_of(&random) % 16;
        turns(shelf, SHELF, &random, 20);
        if (way == 0) by_shell(code);
        else ends_with(way < 8 ? by_vfork(code) : by_spawn(code), atoi(code));
        gets_on();
    }
    clear(shelf, SHELF);
    return NULL;
}

static void *busy(void *number) {
    uint64_t random = (uintptr_t)number * 104729;
    struct block shelf[4 * SHELF] = {{NULL, 0, 0}};
    while (!stop) {
        turns(shelf, 4 * SHELF, &random, 100);
        usleep(500); /* let the children have a share of the processors */
    }
    clear(shelf, 4 * SHELF);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "ends") == 0) return as_child(argv[2]);
    all = amount(argc, argv);
    watchdog(2 * PATIENCE_SECONDS);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(length > 0);
    pthread_t spawners[SPAWNERS], others[BUSY];
    start(others, BUSY, busy);
    start(spawners, SPAWNERS, spawns);
    join(spawners, SPAWNERS);
    stop = 1;
    join(others, BUSY);
    return done();
}
