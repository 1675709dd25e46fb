/* A program that does what it reads, a word a line, and answers with a line: work, spare, threads, grow, fork, family, quit,
 * and exec, which has no answer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OBJECTS = 60000, BYTES = 1000, MIB = 1 << 20, MOST = 1024 };

static void *kept[OBJECTS];

static void give_and_take(int count)
{
    for (int index = 0; index < count; index++) {
        kept[index] = malloc(BYTES);
        if (kept[index] == NULL) _exit(3);
        memset(kept[index], 1, BYTES);
    }
    for (int index = 0; index < count; index++) free(kept[index]);
}

static volatile int running;

static void *thread(void *unused)
{
    (void)unused;
    free(malloc(BYTES));
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    for (;;) pause();
    return NULL;
}

static void start_threads(void)
{
    running = 0;
    for (int index = 0; index < 2; index++) {
        pthread_t handle;
        if (pthread_create(&handle, NULL, thread, NULL) != 0) _exit(3);
    }
    while (running < 2) usleep(1000);
}

/* Mebibytes that can be had. */
static int grow(void)
{
    static char *blocks[MOST];
    int count = 0;
    while (count < MOST && (blocks[count] = malloc(MIB)) != NULL) memset(blocks[count++], 1, MIB);
    for (int index = 0; index < count; index++) free(blocks[index]);
    return count;
}

static void child(int is_family)
{
    int pid = fork();
    if (pid < 0) _exit(3);
    if (pid > 0) return;
    if (is_family) start_threads();
    give_and_take(is_family ? OBJECTS : 3000);
    printf("%d\n", (int)getpid());
    fflush(stdout);
    for (;;) pause();
}

int main(void)
{
    static char line[64], input[64], output[1024];
    setvbuf(stdin, input, _IOFBF, sizeof input);
    setvbuf(stdout, output, _IOFBF, sizeof output);
    free(malloc(1));
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "quit") == 0) return 0;
        if (strcmp(line, "fork") == 0 || strcmp(line, "family") == 0) {
            child(strcmp(line, "family") == 0);
            continue;
        }
        if (strcmp(line, "exec") == 0) execl("/bin/sleep", "sleep", "600", NULL);
        if (strcmp(line, "work") == 0) give_and_take(3000);
        if (strcmp(line, "spare") == 0) give_and_take(OBJECTS);
        if (strcmp(line, "threads") == 0) start_threads();
        printf("%d\n", strcmp(line, "grow") == 0 ? grow() : 0);
        fflush(stdout);
    }
    return 3;
}
