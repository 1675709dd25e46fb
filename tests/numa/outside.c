/* slubctl, from outside, says of several nodes what malloc_stats says: the lines of buddyinfo, and the rows of numastat. */
#include "numa.h"
#include <spawn.h>
#include <sys/wait.h>

enum { OBJECTS = 5000, BLOCKS = 10, ROWS = 6 };
static const char *const rows[ROWS] = {"numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node"};

static char own[65536], theirs[65536];

static void allocate(void *unused) {
    (void)unused;
    for (int i = 0; i < OBJECTS; i++) touch(malloc(200), 200);
    for (int i = 0; i < BLOCKS; i++) touch(malloc(MIB), MIB);
}

static void read_stats(void) {
    int file = open("/tmp/own", O_RDWR | O_CREAT | O_TRUNC, 0600), kept = dup(2);
    CHECK(file >= 0 && kept >= 0 && dup2(file, 2) == 2);
    malloc_stats();
    CHECK(dup2(kept, 2) == 2);
    close(file);
    close(kept);
    CHECK(read_text("/tmp/own", own, sizeof own));
}

/* What slubctl prints with the command; it is no program of this library's. */
static void ask(const char *command) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    char *arguments[] = {"/bin/slubctl", (char *)command, pid, NULL}, *nothing[] = {"PATH=/bin", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 1, "/tmp/theirs", O_WRONLY | O_CREAT | O_TRUNC, 0600) == 0);
    CHECK(posix_spawn(&child, arguments[0], &actions, NULL, arguments, nothing) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    verdict(status == 0, "outside/ends", "%s: status %#x", command, status);
    theirs[0] = 0;
    read_text("/tmp/theirs", theirs, sizeof theirs);
}

/* The next line from *at on that begins with a word, without its end; NULL if there is none. */
static const char *next_line(const char **at, const char *word, size_t *length) {
    while (**at) {
        const char *line = *at, *end = strchrnul(line, '\n');
        *at = *end ? end + 1 : end;
        *length = (size_t)(end - line);
        if (strncmp(line, word, strlen(word)) == 0) return line;
    }
    return NULL;
}

/* The numbers of a row, with single blanks between them. */
static void numbers_of(const char *text, const char *row, char *numbers, size_t room) {
    size_t length, used = 0;
    const char *line = next_line(&text, row, &length);
    numbers[0] = 0;
    for (const char *at = line ? line + strlen(row) : "", *end = line ? line + length : at; at < end && used + 2 < room; at++) {
        int is_digit = *at >= '0' && *at <= '9';
        if (is_digit || (used && numbers[used - 1] != ' ')) numbers[used++] = is_digit ? *at : ' ';
        numbers[used] = 0;
    }
    while (used && numbers[used - 1] == ' ') numbers[--used] = 0;
}

int main(void) {
    slubmalloc_is_in_charge();
    EACH_OF(nodes_with_cpus(), node) {
        move_to_node(node);
        allocate(NULL);
    }
    /* What asking allocates is there when both are asked. */
    ask("buddyinfo");
    read_stats();
    ask("buddyinfo");
    const char *at = own, *other = theirs, *mine, *its;
    size_t length, its_length;
    int same = 0, lines = 0;
    while ((mine = next_line(&at, "Node ", &length))) {
        /* The other lines that begin so are of the unusable index. */
        if (memchr(mine, '.', length)) continue;
        its = next_line(&other, "Node ", &its_length);
        lines++;
        same += its && its_length == length && memcmp(mine, its, length) == 0;
    }
    verdict(lines == __builtin_popcountll(nodes_with_memory()) && same == lines && !next_line(&other, "Node ", &length),
            "outside/buddyinfo", "%d of %d lines are the same", same, lines);
    ask("numastat");
    for (int row = 0; row < ROWS; row++) {
        char name[64], here[1024], there[1024];
        snprintf(name, sizeof name, "outside/%s", rows[row]);
        numbers_of(own, rows[row], here, sizeof here);
        numbers_of(theirs, rows[row], there, sizeof there);
        verdict(here[0] && strcmp(here, there) == 0, name, "%s, from outside %s", here, there);
    }
    return failures != 0;
}
