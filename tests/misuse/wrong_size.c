/* Lies about a size. argv: free_sized|free_aligned_sized|_ZdlPvm|..., the real size, the stated size, alignment. */
#include "misuse.h"

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    size_t real = argument(argc, argv, 2), stated = argument(argc, argv, 3), align = argument(argc, argv, 4);
    void *symbol = dlsym(RTLD_DEFAULT, argv[1]);
    CHECK(symbol != NULL);
    settle_around(real);
    char *block = align > 0 ? memalign(align, real) : one_of_them();
    CHECK(block != NULL);
    memset(block, 'a', real);
    guilty(block);
    if (is(argv[1], "free_aligned_sized")) ((void (*)(void *, size_t, size_t))symbol)(block, align, stated);
    else ((void (*)(void *, size_t, size_t))symbol)(block, stated, align);
    flush_around();
    go_on(real);
    return leave();
}
