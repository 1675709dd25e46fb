/*
 * Frees a block twice. argv: how, size. What is between the two frees, or who does the second, is `how`.
 */
#include "misuse.h"
#include <signal.h>
#include <sys/wait.h>

static char *culprit;
static size_t size;
static pthread_barrier_t barrier;

static void *frees_it(void *unused) {
    free(culprit);
    return unused;
}

static void *frees_it_and_stays(void *unused) {
    free(culprit);
    pthread_barrier_wait(&barrier);
    for (;;) pause();
    return unused;
}

static void *allocates_and_frees(void *unused) {
    CHECK((culprit = malloc(size)) != NULL);
    free(culprit);
    return unused;
}

static void *frees_after_the_signal(void *unused) {
    pthread_barrier_wait(&barrier);
    free(culprit);
    return unused;
}

static void in_a_thread(void *(*work)(void *)) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static void once_more(void) { free(guilty(culprit)); }

static void *frees_it_once_more(void *unused) {
    once_more();
    return unused;
}

static void at_the_end(void) {
    once_more();
    stage("exit");
}

/* The child's death is the parent's. */
static void in_a_child(void) {
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        free(guilty(culprit));
        flush_around();
        exit(leave());
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) raise(WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void free_others(int first, int count) {
    for (int i = first; i < first + count && i < neighbour_count / 2; i++) {
        free(neighbours[i]);
        neighbours[i] = NULL;
    }
}

static int destroyed;
__attribute__((destructor)) static void destructor(void) {
    if (destroyed) at_the_end();
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc > 2);
    const char *how = argv[1];
    size = argument(argc, argv, 2);
    int flushes = 1;
    settle_around(size);
    culprit = one_of_them();
    if (is(how, "aligned")) CHECK((culprit = memalign(4096, size)) != NULL);
    if (is(how, "calloc")) CHECK((culprit = calloc(1, size)) != NULL);
    if (is(how, "in_a_row") || is(how, "aligned") || is(how, "calloc")) {
        free(culprit);
        once_more();
    } else if (is(how, "one_between")) {
        free(culprit);
        free_others(0, 1);
        once_more();
    } else if (is(how, "two_between")) {
        free(culprit);
        free_others(0, 2);
        once_more();
    } else if (is(how, "many_between")) {
        free(culprit);
        free_others(0, 100);
        once_more();
    } else if (is(how, "thousands_between")) {
        free(culprit);
        free_others(0, neighbour_count / 2);
        once_more();
    } else if (is(how, "then_exit")) {
        free(culprit);
        free_others(0, 5);
        once_more();
        flushes = 0;
    } else if (is(how, "then_thread_exit")) {
        free(culprit);
        free_others(0, 5);
        in_a_thread(frees_it_once_more);
        flushes = 0;
    } else if (is(how, "other_thread")) {
        in_a_thread(frees_it);
        once_more();
    } else if (is(how, "two_threads")) {
        in_a_thread(frees_it);
        blame(culprit, culprit, 1);
        stage("misuse");
        in_a_thread(frees_it);
    } else if (is(how, "thread_that_lives")) {
        pthread_t thread;
        pthread_barrier_init(&barrier, NULL, 2);
        CHECK(pthread_create(&thread, NULL, frees_it_and_stays, NULL) == 0);
        pthread_barrier_wait(&barrier);
        once_more();
        flushes = 0;
    } else if (is(how, "second_thread_lives")) {
        pthread_t thread;
        pthread_barrier_init(&barrier, NULL, 2);
        free(culprit);
        blame(culprit, culprit, 1);
        stage("misuse");
        CHECK(pthread_create(&thread, NULL, frees_it_and_stays, NULL) == 0);
        pthread_barrier_wait(&barrier);
        flushes = 0;
    } else if (is(how, "both_threads_live")) {
        pthread_t thread;
        pthread_barrier_init(&barrier, NULL, 2);
        blame(culprit, culprit, 1);
        stage("misuse");
        for (int i = 0; i < 2; i++) {
            CHECK(pthread_create(&thread, NULL, frees_it_and_stays, NULL) == 0);
            pthread_barrier_wait(&barrier);
        }
        flushes = 0;
    } else if (is(how, "ended_thread")) {
        in_a_thread(allocates_and_frees);
        once_more();
    } else if (is(how, "race")) {
        pthread_t thread;
        pthread_barrier_init(&barrier, NULL, 2);
        CHECK(pthread_create(&thread, NULL, frees_after_the_signal, NULL) == 0);
        blame(culprit, culprit, 1);
        stage("misuse");
        pthread_barrier_wait(&barrier);
        free(culprit);
        CHECK(pthread_join(thread, NULL) == 0);
    } else if (is(how, "trim")) {
        free(culprit);
        malloc_trim(0);
        once_more();
    } else if (is(how, "trim_of_all")) {
        free(culprit);
        for (int i = 0; i < neighbour_count; i++) free(neighbours[i]);
        neighbour_count = 0;
        malloc_trim(0);
        once_more();
    } else if (is(how, "realloc_to_0")) {
        escape(realloc(culprit, 0));
        once_more();
    } else if (is(how, "realloc")) {
        free(culprit);
        escape(realloc(guilty(culprit), 2 * size + 100));
    } else if (is(how, "realloc_later")) {
        free(culprit);
        free_others(0, 100);
        escape(realloc(guilty(culprit), 2 * size + 100));
    } else if (is(how, "realloc_in_place")) {
        free(culprit);
        /* Smaller by nothing: without a check it is the same block, which is then freed. */
        char *same = realloc(guilty(culprit), size);
        free(same);
    } else if (is(how, "moved")) {
        /* A realloc that moved the block has freed it. */
        for (size_t wanted = 2 * size + 100;; wanted *= 2) {
            CHECK(wanted < GIB);
            char *block = realloc(culprit, wanted);
            CHECK(block != NULL);
            if (block != culprit) break;
        }
        once_more();
    } else if (is(how, "sized")) {
        void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
        CHECK(free_sized != NULL);
        free_sized(culprit, size);
        free_sized(guilty(culprit), size);
    } else if (is(how, "cfree")) {
        void (*cfree)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");
        CHECK(cfree != NULL);
        free(culprit);
        cfree(guilty(culprit));
    } else if (is(how, "at_exit")) {
        free(culprit);
        free_others(0, 1);
        CHECK(atexit(at_the_end) == 0);
        flushes = 0;
    } else if (is(how, "destructor")) {
        free(culprit);
        free_others(0, 1);
        destroyed = 1;
        flushes = 0;
    } else if (is(how, "child")) {
        free(culprit);
        free_others(0, 1);
        in_a_child();
    } else if (is(how, "new_owner")) {
        /* The stale free takes the block from its new owner, whose own free is the one too many. */
        free(culprit);
        char *owner = malloc(size);
        if (owner == culprit) stage("again");
        else free_others(0, 1);
        free(guilty(culprit));
        free(owner);
    } else if (is(how, "both_handed_out")) {
        free(culprit);
        free_others(0, 5);
        once_more();
        go_on(size);
        return leave();
    } else {
        CHECK(!"known");
    }
    /* Nothing is allocated any more: who has the block twice may give it out twice. */
    if (flushes) flush_around();
    got_away();
    return leave();
}
