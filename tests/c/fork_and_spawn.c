/* Children of every kind: fork with threads started in the child, fork handlers, vfork and exec, posix_spawn. */
#include "check.h"
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;
static int handlers;

static void ends_well(pid_t pid) {
    int status;
    CHECK(pid > 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void *churn(void *blocks) {
    for (size_t i = 0; i < 2000; i++) free(((void **)blocks)[i]);
    for (size_t i = 0; i < 20000; i++) free(memset(malloc(i), 1, i < 100 ? i : 100));
    return malloc(100);
}

static void fork_with_threads_in_the_child(void) {
    void **blocks = malloc(4 * 2000 * sizeof *blocks);
    for (size_t i = 0; i < 4 * 2000; i++) CHECK((blocks[i] = malloc(i)) != NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        pthread_t threads[4];
        void *left;
        for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, churn, blocks + 2000 * i) == 0);
        for (int i = 0; i < 4; i++) {
            CHECK(pthread_join(threads[i], &left) == 0);
            free(left);
        }
        exit(0);
    }
    ends_well(pid);
    for (size_t i = 0; i < 4 * 2000; i++) free(blocks[i]);
    free(blocks);
}

/* Handlers may allocate, in whichever order they were registered with ours. */
static void handler(void) {
    free(malloc(1000));
    free(malloc(100000));
    handlers++;
}

static void fork_from_a_thread_that_never_allocated(void) {
    pid_t pid = fork();
    if (pid == 0) {
        free(malloc(10));
        _exit(0);
    }
    ends_well(pid);
}

static void *forks(void *unused) {
    fork_from_a_thread_that_never_allocated();
    return unused;
}

static void vfork_and_exec(void) {
    for (int i = 0; i < 20; i++) {
        void *before = malloc(100);
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(9);
        }
        ends_well(pid);
        free(before);
    }
}

static void spawn(void) {
    char *argv[] = {"true", NULL};
    for (int i = 0; i < 20; i++) {
        pid_t pid;
        CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0);
        ends_well(pid);
    }
    CHECK(system("true") == 0);
    FILE *pipe = popen("echo hello", "r");
    char line[10];
    CHECK(pipe && fgets(line, sizeof line, pipe) && strcmp(line, "hello\n") == 0 && pclose(pipe) == 0);
}

int main(void) {
    slubmalloc_is_in_charge();
    CHECK(pthread_atfork(handler, handler, handler) == 0);
    for (int i = 0; i < 20; i++) fork_with_threads_in_the_child();
    CHECK(handlers == 40);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, forks, NULL) == 0 && pthread_join(thread, NULL) == 0);
    vfork_and_exec();
    spawn();
    return done();
}
