/* slubmalloc_stats_json writes what malloc_stats counts: prints the JSON on standard output. Allocates while it is written. */
#include "check.h"

#include <dlfcn.h>

static void write_text(void *context, const char *text, size_t length)
{
    size_t *bytes = context;
    char *copy = malloc(length + 1);
    CHECK(copy != NULL && length > 0);
    memcpy(copy, text, length);
    copy[length] = 0;
    CHECK(fwrite(copy, 1, length, stdout) == length);
    free(copy);
    *bytes += length;
}

int main(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "slubmalloc_stats_json");
    void (*stats_json)(void (*)(void *, const char *, size_t), void *);
    CHECK(symbol != NULL);
    memcpy(&stats_json, &symbol, sizeof symbol);
    for (int index = 0; index < 700; index++) {
        volatile char *block = malloc(768);
        CHECK(block != NULL);
        *block = 1;
    }
    volatile char *huge = malloc(8 << 20);
    CHECK(huge != NULL);
    *huge = 1;
    stats_json(NULL, NULL);
    size_t bytes = 0;
    stats_json(write_text, &bytes);
    CHECK(bytes > 500);
    return 0;
}
