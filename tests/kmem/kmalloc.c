/* kmalloc and its family: sizes, alignments, zeroes, and every error. */
#include "kmem.h"

#include <sys/resource.h>

static int is_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return 0;
    return 1;
}

static void sizes(void) {
    static const size_t some[] = {1, 15, 16, 17, 64, 100, 1000, 1024, 4096, 5000, 49152, 65536, 100000, 131072, 1 << 20, 4 << 20, 9 << 20};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        size_t size = some[i], align = (size & (size - 1)) == 0 && size <= 4 << 20 ? size : 16;
        for (int zeroed = 0; zeroed < 3; zeroed++) {
            unsigned char *block = zeroed == 0   ? slub_kmalloc(size, SLUB_GFP_KERNEL)
                                   : zeroed == 1 ? slub_kzalloc(size, SLUB_GFP_KERNEL)
                                                 : slub_kmalloc(size, SLUB_GFP_KERNEL | SLUB___GFP_ZERO);
            CHECK_AT(block != NULL && (uintptr_t)block % align == 0, size);
            CHECK_AT(slub_ksize(block) >= size, size);
            if (zeroed) CHECK_AT(is_zero(block, size), size);
            memset(block, 0xee, size);
            slub_kfree(block);
        }
        /* Memory that is there already is enough for callers that must not wait. */
        if (size <= 4 << 20) {
            void *block = slub_kmalloc(size, SLUB_GFP_ATOMIC);
            CHECK_AT(block == NULL || ((uintptr_t)block % align == 0 && slub_ksize(block) >= size), size);
            if (block) memset(block, 1, size);
            slub_kfree(block);
        }
        unsigned char *pages = slub_vmalloc(size), *zeroes = slub_vzalloc(size);
        CHECK((uintptr_t)pages % 4096 == 0 && (uintptr_t)zeroes % 4096 == 0 && is_zero(zeroes, size));
        memset(pages, 1, size);
        memset(zeroes, 1, size);
        slub_vfree(pages);
        slub_vfree(zeroes);
        void *any = slub_kvmalloc(size, SLUB_GFP_KERNEL);
        CHECK(any != NULL);
        slub_kvfree(any);
    }
    free(slub_kmalloc(100, SLUB_GFP_KERNEL));
    slub_kfree(malloc(100));
}

/* Memory that reads as zero already is not touched. */
static void zeroes_of_gigabytes(void) {
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    char *blocks[] = {slub_kvmalloc(1 << 30, SLUB_GFP_KERNEL | SLUB___GFP_ZERO), slub_vzalloc(1 << 30),
                      slub_kzalloc((1 << 30) + 1, SLUB_GFP_KERNEL)};
    for (int i = 0; i < 3; i++) CHECK(blocks[i] != NULL && blocks[i][1 << 29] == 0);
    getrusage(RUSAGE_SELF, &after);
    CHECK_AT(after.ru_minflt - before.ru_minflt < 1000, after.ru_minflt - before.ru_minflt);
    for (int i = 0; i < 3; i++) slub_kvfree(blocks[i]);
}

static void waits_for_nobody(void) {
    enum { MANY = 2000 };
    static void *blocks[MANY];
    /* Free pages with memory. */
    free(memset(malloc(3 << 20), 1, 3 << 20));
    int got = 0;
    for (int i = 0; i < MANY; i++) got += (blocks[i] = slub_kmalloc(320, SLUB_GFP_NOWAIT)) != NULL;
    CHECK_AT(got == MANY, got);
    for (int i = 0; i < MANY; i++) slub_kfree(blocks[i]);
    CHECK(REFUSED(ENOMEM, slub_kmalloc(100 << 20, SLUB_GFP_NOWAIT)));
    char *block = slub_kmalloc(10, SLUB_GFP_ATOMIC);
    strcpy(block, "text");
    block = slub_krealloc(block, 1000, SLUB_GFP_ATOMIC);
    CHECK(block != NULL && strcmp(block, "text") == 0);
    slub_kfree(block);
}

static void no_bytes(void) {
    CHECK(slub_kmalloc(0, SLUB_GFP_KERNEL) == SLUB_ZERO_SIZE_PTR && SLUB_ZERO_SIZE_PTR == (void *)16);
    CHECK(slub_kcalloc(0, 5, SLUB_GFP_KERNEL) == SLUB_ZERO_SIZE_PTR);
    CHECK(SLUB_ZERO_OR_NULL_PTR(NULL) && SLUB_ZERO_OR_NULL_PTR(SLUB_ZERO_SIZE_PTR) && !SLUB_ZERO_OR_NULL_PTR((void *)32));
    errno = 9;
    slub_kfree(SLUB_ZERO_SIZE_PTR);
    slub_kfree(NULL);
    slub_kfree_sensitive(SLUB_ZERO_SIZE_PTR);
    slub_kvfree(SLUB_ZERO_SIZE_PTR);
    CHECK(errno == 9 && slub_ksize(SLUB_ZERO_SIZE_PTR) == 0 && slub_ksize(NULL) == 0);
    char *block = slub_krealloc(SLUB_ZERO_SIZE_PTR, 10, SLUB_GFP_KERNEL);
    CHECK(block != NULL && block != SLUB_ZERO_SIZE_PTR);
    CHECK(slub_krealloc(block, 0, SLUB_GFP_KERNEL) == SLUB_ZERO_SIZE_PTR);
    CHECK(REFUSED(ENOMEM, slub_vmalloc(0)) && REFUSED(ENOMEM, slub_vzalloc(0)));
    CHECK(slub_kmemdup("", 0, SLUB_GFP_KERNEL) == SLUB_ZERO_SIZE_PTR);
}

static void grows(void) {
    unsigned char *block = NULL;
    for (size_t size = 1; size < 8 << 20; size = size * 3 / 2 + 1) {
        block = slub_krealloc(block, size, SLUB_GFP_KERNEL | SLUB___GFP_ZERO);
        CHECK_AT(block != NULL && block[size - 1] == 0 && is_zero(block, size), size);
    }
    slub_kfree(block);
    /* Shorter and longer again, in place or not. */
    for (size_t size = 100; size < 8 << 20; size *= 20) {
        block = slub_kzalloc(size, SLUB_GFP_KERNEL);
        memset(block, 0xff, size);
        block = slub_krealloc(block, size / 10, SLUB_GFP_KERNEL | SLUB___GFP_ZERO);
        block = slub_krealloc(block, size, SLUB_GFP_KERNEL | SLUB___GFP_ZERO);
        CHECK_AT(block[size / 10 - 1] == 0xff && is_zero(block + size / 10, size - size / 10), size);
        slub_kfree(block);
    }
    block = slub_kmalloc(100, SLUB_GFP_KERNEL);
    memset(block, 7, 100);
    unsigned char *moved = slub_krealloc(block, 100000, SLUB_GFP_KERNEL);
    for (int i = 0; i < 100; i++) CHECK(moved[i] == 7);
    CHECK(slub_krealloc(moved, 10, SLUB_GFP_KERNEL) != NULL);
    slub_kfree(moved);
}

static void copies(void) {
    char *copy = slub_kstrdup("a string", SLUB_GFP_KERNEL);
    CHECK(strcmp(copy, "a string") == 0);
    slub_kfree(copy);
    CHECK(slub_kstrdup(NULL, SLUB_GFP_KERNEL) == NULL);
    unsigned char *bytes = slub_kmemdup("\0\1\2\3", 4, SLUB_GFP_KERNEL);
    CHECK(memcmp(bytes, "\0\1\2\3", 4) == 0);
    slub_kfree(bytes);
    /* What was secret is gone. */
    unsigned char *secret = slub_kmalloc(200, SLUB_GFP_KERNEL);
    memset(secret, 0x5e, 200);
    slub_kfree_sensitive(secret);
    unsigned char *again = slub_kmalloc(200, SLUB_GFP_KERNEL);
    CHECK(again != secret || is_zero(again, 200));
    slub_kfree(again);
}

static void refusals(void) {
    static const slub_gfp_t refused[] = {SLUB_GFP_DMA, SLUB_GFP_DMA32, 0x200, 0x80000000, SLUB___GFP_NOFAIL};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        slub_gfp_t flags = refused[i];
        CHECK_AT(REFUSED(EINVAL, slub_kmalloc(10, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kmalloc(0, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kzalloc(10, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kcalloc(1, 10, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kcalloc(SIZE_MAX, 10, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kmalloc_array(1, 10, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_krealloc(NULL, 10, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kmalloc_node(10, flags, -1)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kvmalloc(10, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kstrdup("x", flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_kmemdup("x", 1, flags)), i);
        CHECK_AT(REFUSED(EINVAL, slub_alloc_pages(flags, 0)), i);
        CHECK_AT(REFUSED(EINVAL, slub_alloc_pages_exact(1, flags)), i);
        errno = 0;
        CHECK_AT(slub___get_free_pages(flags, 0) == 0 && errno == EINVAL, i);
        errno = 0;
        CHECK_AT(slub_get_zeroed_page(flags) == 0 && errno == EINVAL, i);
    }
    CHECK(REFUSED(ENOMEM, slub_kmalloc(SIZE_MAX, SLUB_GFP_KERNEL)));
    CHECK(REFUSED(ENOMEM, slub_kcalloc(SIZE_MAX / 2, 3, SLUB_GFP_KERNEL)));
    CHECK(REFUSED(ENOMEM, slub_kmalloc_array(SIZE_MAX / 2, 3, SLUB_GFP_KERNEL)));
    CHECK(REFUSED(ENOMEM, slub_vmalloc(SIZE_MAX)));
    CHECK(REFUSED(EINVAL, slub_kmalloc_node(10, SLUB_GFP_KERNEL, 63)));
    CHECK(REFUSED(EINVAL, slub_kmalloc_node(10, SLUB_GFP_KERNEL, -2)));
    /* The node is looked at where there is nothing to take from it as well. */
    CHECK(REFUSED(EINVAL, slub_kmalloc_node(0, SLUB_GFP_KERNEL, 99)) && REFUSED(EINVAL, slub_kmalloc_node(0, SLUB_GFP_KERNEL, -2)));
    CHECK(slub_kmalloc_node(0, SLUB_GFP_KERNEL, -1) == SLUB_ZERO_SIZE_PTR);
    /* More bytes to copy than there are addresses. */
    CHECK(REFUSED(ENOMEM, slub_kmemdup("x", SIZE_MAX, SLUB_GFP_KERNEL)) && REFUSED(EINVAL, slub_kmemdup("x", SIZE_MAX, SLUB_GFP_DMA)));
    void *block = slub_kmalloc(10, SLUB_GFP_KERNEL);
    CHECK(REFUSED(ENOMEM, slub_krealloc(block, SIZE_MAX, SLUB_GFP_KERNEL)));
    int node = slubmalloc_node_of(block);
    slub_kfree(block);
    for (int strict = 0; strict < 2; strict++) {
        for (size_t size = 16; size <= 4 << 20; size *= 2) {
            void *whole = slub_kmalloc_node(size, SLUB_GFP_KERNEL | (strict ? SLUB___GFP_THISNODE : 0), node);
            CHECK_AT(whole != NULL && (uintptr_t)whole % size == 0, size);
            char *larger = slub_krealloc(memset(whole, 5, size), size * 3, SLUB_GFP_KERNEL | (strict ? SLUB___GFP_THISNODE : 0));
            CHECK_AT(larger != NULL && larger[0] == 5 && larger[size - 1] == 5, size);
            slub_kfree(larger);
        }
        block = slub_kmalloc_node(5000, SLUB_GFP_KERNEL | SLUB___GFP_ZERO | (strict ? SLUB___GFP_THISNODE : 0), node);
        CHECK(block != NULL && slubmalloc_node_of(block) == node && is_zero(block, 5000));
        slub_kfree(block);
        block = slub_kmalloc(5000, SLUB_GFP_KERNEL | (strict ? SLUB___GFP_THISNODE : 0));
        CHECK(block != NULL);
        slub_kfree(block);
    }
}

static void pages(void) {
    for (unsigned order = 0; order <= SLUB_MAX_PAGE_ORDER; order++) {
        size_t bytes = SLUB_PAGE_SIZE << order;
        struct slub_page *page = slub_alloc_pages(SLUB_GFP_KERNEL, order);
        char *address = slub_page_address(page);
        CHECK_AT(page != NULL && (uintptr_t)address % bytes == 0, order);
        CHECK_AT(slub_page_order(page) == order && slub_virt_to_page(address + 4095) == page, order);
        CHECK_AT(slub_page_address(slub_virt_to_page(address + bytes - 1)) == address + bytes - 4096, order);
        CHECK(slub_page_to_nid(page) == slubmalloc_node_of(address));
        memset(address, 1, bytes);
        slub___free_pages(page, order);
        unsigned long plain = slub___get_free_pages(SLUB_GFP_KERNEL | SLUB___GFP_ZERO, order);
        CHECK_AT(plain != 0 && plain % bytes == 0 && is_zero((void *)plain, bytes), order);
        slub_free_pages(plain, order);
        char *exact = slub_alloc_pages_exact(bytes / 4 * 3, SLUB_GFP_KERNEL);
        CHECK_AT(exact != NULL && (uintptr_t)exact % bytes == 0, order);
        memset(exact, 1, bytes / 4 * 3);
        slub_free_pages_exact(exact, bytes / 4 * 3);
    }
    unsigned long zeroes = slub_get_zeroed_page(SLUB_GFP_KERNEL);
    CHECK(is_zero((void *)zeroes, 4096));
    slub_free_pages(zeroes, 0);
    slub_free_pages(0, 3);
    slub___free_pages(NULL, 3);
    CHECK(REFUSED(EINVAL, slub_alloc_pages(SLUB_GFP_KERNEL, 11)));
    CHECK(REFUSED(EINVAL, slub_alloc_pages_exact(0, SLUB_GFP_KERNEL)));
    CHECK(REFUSED(EINVAL, slub_alloc_pages_exact((4 << 20) + 1, SLUB_GFP_KERNEL)));
    CHECK(slub_virt_to_page(NULL) == NULL);
}

static void at_least(void) {
    for (size_t size = 1; size < 200000; size = size * 5 / 4 + 1) {
        size_t usable = 0;
        char *block = slubmalloc_alloc_at_least(size, &usable);
        CHECK_AT(block != NULL && usable >= size && usable == malloc_usable_size(block), size);
        memset(block, 1, usable);
        free_sized(block, size + (usable - size) / 2);
        block = slubmalloc_alloc_at_least(size, &usable);
        free_sized(block, usable);
    }
    size_t usable = 5;
    CHECK(REFUSED(ENOMEM, slubmalloc_alloc_at_least(SIZE_MAX, &usable)) && usable == 5);
}

int main(void) {
    malloc_is_ours();
    sizes();
    zeroes_of_gigabytes();
    waits_for_nobody();
    no_bytes();
    grows();
    copies();
    refusals();
    pages();
    at_least();
    puts("ok");
    return 0;
}
