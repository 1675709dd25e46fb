/* Does one wrong thing, argv[1], to a block of argv[2] bytes, names the block first, and ends with "ok". */
#include "check.h"
#include <sys/resource.h>

static void *__attribute__((noinline)) allocates(size_t size) { return escape(malloc(size)); }
static void __attribute__((noinline)) frees(void *block) { free(escape(block)); }

int main(int argc, char **argv) {
    struct rlimit no_core = {0, 0};
    CHECK(argc == 3 && setrlimit(RLIMIT_CORE, &no_core) == 0);
    size_t size = strtoul(argv[2], NULL, 10);
    char *block = allocates(size), *other = allocates(size);
    dprintf(1, "%p\n", (void *)block);
    char misuse = argv[1][0];
    if (misuse == 'o') block[size] = 0x41;
    if (misuse == 'u') block[-1] = 0x42;
    frees(block);
    if (misuse == 'w') block[size / 2] = 0x43;
    if (misuse == 'r') return *(volatile char *)(block + size / 2);
    if (misuse == 'd') frees(other), frees(block);
    if (misuse == 'i') frees(other + 16);
    if (misuse == 'n') return done();
    for (int i = 0; i < 3000; i++) free(escape(malloc(size)));
    return done();
}
