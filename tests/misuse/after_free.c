/*
 * Uses a block after it was freed.
 * argv: size, read|first|middle|last|whole, at_once|others|churn|again|realloc|thread|gone|trim, [MiB]
 *
 * The second is what is touched, the third what happens between the free and the use: nothing, the frees of some
 * others, of thousands, all of them and new blocks until the address has a new owner, a realloc that moved the block
 * instead of the free, the free in another thread or in one that ended with its block, malloc_trim. MiB
 * are how much is allocated and freed after the use.
 */
#include "misuse.h"

enum { MOST = 5000 };

static void *frees(void *block) {
    free(block);
    return NULL;
}

static void *allocates_and_frees(void *size) {
    char *block = malloc((size_t)size);
    CHECK(block != NULL);
    free(block);
    return block;
}

static void *in_a_thread(void *(*work)(void *), void *argument) {
    pthread_t thread;
    void *answer;
    CHECK(pthread_create(&thread, NULL, work, argument) == 0 && pthread_join(thread, &answer) == 0);
    return answer;
}

/* A realloc that had to move; neighbours stand after small and large blocks. */
static void move_away(char *block, size_t size) {
    for (size_t wanted = 2 * size + 100;; wanted *= 2) {
        char *moved = realloc(block, wanted);
        CHECK(moved != NULL);
        if (moved != block) return;
        /* It grew in place: what was its own is so still. */
        CHECK(wanted < GIB);
    }
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    size_t size = argument(argc, argv, 1);
    CHECK(argc > 3);
    const char *what = argv[2], *when = argv[3];
    size_t more = argc > 4 ? argument(argc, argv, 4) : 0;
    settle_around(size);
    char *block = one_of_them();
    memset(block, 'a', size);
    int others = is(when, "others") ? 30 : is(when, "churn") || is(when, "again") ? MOST : 0;
    if (is(when, "thread")) in_a_thread(frees, block);
    else if (is(when, "gone")) block = in_a_thread(allocates_and_frees, (void *)size);
    else if (is(when, "realloc")) move_away(block, size);
    else free(block);
    block = escape(block);
    for (int i = 0; i < others && i < neighbour_count; i++) {
        free(neighbours[i]);
        neighbours[i] = NULL;
    }
    if (is(when, "trim")) malloc_trim(0);
    if (is(when, "again")) {
        for (int i = 0; i < MOST && i < neighbour_count; i++) {
            CHECK((neighbours[i] = malloc(size)) != NULL);
            if (neighbours[i] == block) {
                stage("again");
                break;
            }
        }
    }
    char *from = is(what, "last") ? block + size - 1 : is(what, "middle") ? block + size / 2 : block;
    size_t length = is(what, "whole") ? size : is(what, "read") ? 8 : 1;
    blame(block, from, length);
    stage("misuse");
    if (is(what, "read")) look_for(from, length, 0x6b);
    else scribble(from, length, 'x');
    stage("reuse");
    for (size_t freed = 0; freed < more * MIB; freed += size) free(escape(malloc(size)));
    go_on(size);
    return leave();
}
