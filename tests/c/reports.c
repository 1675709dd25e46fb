/* single-threaded: also run on aarch64 under emulation. */
/* malloc_info writes XML to the stream it is given, malloc_stats text to stderr. */
#include "check.h"

int main(void) {
    slubmalloc_is_in_charge();
    for (size_t size = 1; size < 20 * MIB; size = size * 3 + 1) escape(malloc(size));

    CHECK(malloc_info(1, stdout) == EINVAL);
    CHECK(malloc_info(-1, stdout) == EINVAL);
    CHECK(malloc_info(0, stdout) == 0);
    CHECK(fflush(stdout) == 0);
    malloc_stats();

    /* A stream that itself allocates while it is written to. */
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    CHECK(memory != NULL && malloc_info(0, memory) == 0 && fclose(memory) == 0);
    CHECK(strncmp(text, "<malloc version=\"1\">", 20) == 0);
    CHECK(length > 30 && strstr(text + length - 11, "</malloc>") != NULL);
    free(text);
    return 0;
}
