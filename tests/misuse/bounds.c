/*
 * Writes or reads beyond a block's bounds.
 * argv: over|under|strcpy|loop, size, gap, length, write|read, free|realloc|exit, [calloc|align=N]
 *
 * The guilty bytes are `length`, `gap` after the block's end or before its start. strcpy copies a string as long
 * as the block; loop counts 4-byte elements one too far.
 */
#include "misuse.h"

static char text[MIB];

static char *make(size_t size, const char *how) {
    if (is(how, "calloc")) return calloc(1, size);
    if (strncmp(how, "align=", 6) == 0) return memalign(strtoul(how + 6, NULL, 0), size);
    return malloc(size);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    size_t size = argument(argc, argv, 2), gap = argument(argc, argv, 3), length = argument(argc, argv, 4);
    CHECK(argc > 6);
    const char *direction = argv[1], *operation = argv[5], *fate = argv[6], *how = argc > 7 ? argv[7] : "malloc";
    enum { AROUND = 9 };
    char *blocks[AROUND];
    int count = size > 4 * MIB ? 4 : AROUND;
    for (int i = 0; i < count; i++) {
        CHECK((blocks[i] = make(size, how)) != NULL);
        paint(blocks[i], size, i);
    }
    char *block = escape(blocks[count / 2]);
    char *from = is(direction, "under") ? block - gap - length : block + size + gap;
    blame(block, from, length);
    stage("misuse");
    if (is(direction, "strcpy")) {
        memset(text, 'x', size);
        strcpy(block, escape(text));
    } else if (is(direction, "loop")) {
        for (size_t i = 0; i <= size / 4; i++) ((volatile int *)block)[i] = (int)i;
    } else if (is(operation, "read")) {
        look_for(from, length < 8 ? length : 8, 0xcc);
        for (size_t i = 0; i < length; i++) (void)((volatile char *)from)[i];
    } else if (is(direction, "under")) {
        for (size_t i = length; i-- > 0;) ((volatile char *)from)[i] = 'x';
    } else {
        scribble(from, length, 'x');
    }
    if (is(fate, "free")) {
        stage("free");
        free(block);
    } else if (is(fate, "realloc")) {
        stage("realloc");
        CHECK((block = realloc(block, 2 * size + 1)) != NULL);
    }
    go_on(size);
    return leave();
}
