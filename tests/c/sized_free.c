/* C23's free_sized and free_aligned_sized, and the old cfree: found by name, as older libcs lack them. */
#include "check.h"

typedef void sized_fn(void *, size_t);
typedef void aligned_sized_fn(void *, size_t, size_t);
typedef void free_fn(void *);

int main(void) {
    slubmalloc_is_in_charge();
    sized_fn *sized = (sized_fn *)dlsym(RTLD_DEFAULT, "free_sized");
    aligned_sized_fn *aligned_sized = (aligned_sized_fn *)dlsym(RTLD_DEFAULT, "free_aligned_sized");
    free_fn *old_free = (free_fn *)dlsym(RTLD_DEFAULT, "cfree");
    CHECK(libc_allowed() || (sized && aligned_sized && old_free));

    static const size_t sizes[] = {0, 1, 16, 100, 1024, 1025, 5000, 32768, 32769, 100000, 4 * MIB, 4 * MIB + 1, 20 * MIB};
    size_t before = resident();
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t size = sizes[i];
            if (size >= MIB && round >= 20) continue;
            if (sized) {
                errno = 4242;
                sized(memset(malloc(size), 1, size), size);
                sized(calloc(1, size), size);
                sized(realloc(malloc(10), size + 1), size + 1);
                CHECK_AT(errno == 4242, size);
            }
            for (size_t align = 16; aligned_sized && align <= 65536; align *= 4) {
                errno = 4242;
                aligned_sized(aligned_alloc(align, size), align, size);
                CHECK_AT(errno == 4242, size);
            }
            if (old_free) old_free(malloc(size));
        }
    }
    if (sized) sized(NULL, 10);
    if (aligned_sized) aligned_sized(NULL, 64, 10);
    if (old_free) old_free(NULL);
    CHECK(resident() < before + 64 * MIB);
    return done();
}
