/*
 * Allocates until nothing is left and takes no for an answer: endless NAME LIMIT_MIB BLOCK_BYTES.
 *
 * Every byte is written. malloc has to give null with ENOMEM below the limit, and a process that is killed for memory gave none.
 * What is freed can be had again, in the same size and, when all is freed, in another.
 */
#include "numa.h"

struct block {
    struct block *next;
};

static struct block *blocks;
static const char *name;

/* Up to `most` blocks, fewer if malloc refuses; errno is that of the last call. Gives their number. */
static size_t take(size_t bytes, size_t most) {
    size_t taken = 0;
    for (; taken < most; taken++) {
        errno = 0;
        struct block *block = malloc(bytes);
        if (!block) break;
        memset(escape(block), (int)taken | 1, bytes);
        block->next = blocks;
        blocks = block;
    }
    return taken;
}

/* Every `nth` block. */
static size_t give(size_t nth) {
    size_t given = 0, place = 0;
    for (struct block **at = &blocks; *at; place++) {
        struct block *block = *at;
        if (place % nth != 0) {
            at = &block->next;
            continue;
        }
        *at = block->next;
        free(block);
        given++;
    }
    return given;
}

__attribute__((format(printf, 3, 4)))
static void judge(int good, const char *what, const char *format, ...) {
    char title[128], text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(title, sizeof title, "%s/%s", name, what);
    verdict(good, title, "%s", text);
}

int main(int count, char **words) {
    CHECK(count == 4);
    name = words[1];
    size_t limit = strtoul(words[2], NULL, 10) * MIB, bytes = strtoul(words[3], NULL, 10);
    CHECK(limit && bytes >= sizeof(struct block));

    /* More than the limit cannot be there, whatever the errors. */
    size_t all = take(bytes, limit / bytes + 1);
    int error = errno;
    judge(all <= limit / bytes, "ends", "%zu blocks of %zu bytes in %zu MiB", all, bytes, limit / MIB);
    judge(error == ENOMEM, "errno", "%d", error);
    judge(all * bytes >= limit / 4 * 3, "most", "%zu of %zu MiB", all * bytes / MIB, limit / MIB);

    size_t half = give(2), wanted = half - half / 4, again = take(bytes, wanted);
    judge(again == wanted, "half", "%zu blocks freed, %zu of %zu taken again", half, again, wanted);

    give(1);
    wanted = all - all / 4;
    again = take(bytes, wanted);
    judge(again == wanted, "again", "all blocks freed, %zu of %zu taken again", again, wanted);

    give(1);
    size_t other = bytes < MIB ? MIB : 1000;
    wanted = limit / 2 / other;
    again = take(other, wanted);
    judge(again == wanted, "other-size", "all blocks freed, %zu of %zu with %zu bytes", again, wanted, other);
    give(1);
    return failures != 0;
}
