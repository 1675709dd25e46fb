/*
 * Reads what was never written. argv: how the block was made, size.
 * Whether what is read gives itself away is the question: it does if it is the pattern of fresh memory.
 */
#include "misuse.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc > 2);
    const char *how = argv[1];
    size_t size = argument(argc, argv, 2), from = 0;
    char *block;
    if (is(how, "recycled")) {
        settle_around(size);
        for (int i = 0; i < neighbour_count; i++) {
            memset(neighbours[i], 'a', size);
            free(neighbours[i]);
        }
    }
    if (is(how, "aligned")) {
        block = memalign(4096, size);
    } else if (is(how, "grown")) {
        block = malloc(size / 2);
        CHECK(block != NULL);
        memset(block, 'a', size / 2);
        block = realloc(block, size);
        from = size / 2;
    } else if (is(how, "new")) {
        void *(*operator_new)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "_Znwm");
        CHECK(operator_new != NULL);
        block = operator_new(size);
    } else {
        block = malloc(size);
    }
    CHECK(block != NULL);
    blame(block, block + from, size - from);
    stage("misuse");
    look_for(escape(block + from), size - from, 0x5a);
    void (*gives)(void *) = free;
    if (is(how, "new")) gives = (void (*)(void *))dlsym(RTLD_DEFAULT, "_ZdlPv");
    CHECK(gives != NULL);
    gives(block);
    go_on(size);
    return leave();
}
