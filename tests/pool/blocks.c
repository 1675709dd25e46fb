/* Blocks of pools of all sizes are whole, aligned and apart, one by one and all at once; each function knows whose they are. */
#include "pool.h"

enum { SLOTS = 2000, STEPS = 12000 };

struct slot {
    unsigned char *block;
    size_t size;
    unsigned char fill;
};

static struct slot slots[SLOTS];

static size_t some_size(unsigned *state) {
    unsigned kind = next_random(state) % 100;
    if (kind < 70) return next_random(state) % 512;
    if (kind < 93) return next_random(state) % 16384;
    if (kind < 99) return next_random(state) % (400 * KIB);
    return next_random(state) % (7 * MIB);
}

static void fill(struct slot *slot, unsigned char with) {
    slot->fill = with;
    size_t edge = slot->size < 64 ? slot->size : 64;
    memset(slot->block, with, edge);
    memset(slot->block + slot->size - edge, with, edge);
}

static void check(const struct slot *slot) {
    size_t edge = slot->size < 64 ? slot->size : 64;
    for (size_t i = 0; i < edge; i++) {
        CHECK(slot->block[i] == slot->fill);
        CHECK(slot->block[slot->size - 1 - i] == slot->fill);
    }
}

static void is_zero(const unsigned char *block, size_t size) {
    for (size_t i = 0; i < size; i++) CHECK_AT(block[i] == 0, i);
}

static void steps(struct slub_pool *pool, unsigned seed) {
    unsigned state = seed;
    memset(slots, 0, sizeof(slots));
    for (int step = 0; step < STEPS; step++) {
        struct slot *slot = &slots[next_random(&state) % SLOTS];
        unsigned what = next_random(&state) % 16;
        size_t size = some_size(&state);
        if (slot->block == NULL) {
            size_t align = 16;
            if (what == 0) {
                slot->block = slub_pool_calloc(pool, 1, size);
                CHECK(slot->block != NULL);
                is_zero(slot->block, size);
            } else if (what == 1) {
                align = (size_t)16 << next_random(&state) % 14;
                slot->block = slub_pool_aligned_alloc(pool, align, size);
            } else {
                slot->block = slub_pool_malloc(pool, size);
            }
            CHECK(slot->block != NULL);
            CHECK((uintptr_t)slot->block % align == 0);
            slot->size = size;
            fill(slot, (unsigned char)step);
        } else {
            check(slot);
            CHECK(malloc_usable_size(slot->block) >= slot->size);
            CHECK(slub_pool_of(slot->block) == pool);
            if (what < 4 && size > 0) {
                unsigned char before = slot->block[0];
                unsigned char *block =
                    what & 1 ? realloc(slot->block, size) : slub_pool_realloc(pool, slot->block, size);
                CHECK(block != NULL);
                CHECK(slot->size == 0 || block[0] == before);
                CHECK(slub_pool_of(block) == pool);
                slot->block = block;
                slot->size = size;
                fill(slot, (unsigned char)step);
            } else {
                if (what & 1) free(slot->block);
                else slub_pool_free(pool, slot->block);
                slot->block = NULL;
            }
        }
    }
}

static size_t usable(void) {
    size_t sum = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].block != NULL) {
            check(&slots[i]);
            sum += malloc_usable_size(slots[i].block);
        }
    }
    return sum;
}

/* A mapping that was used before may be longer than what is asked for now, and realloc knows it. */
static void huge(struct slub_pool *pool) {
    free(malloc(8165120));
    char *block = slub_pool_malloc(pool, 7825216);
    CHECK(block != NULL && slub_pool_used(pool) == malloc_usable_size(block));
    for (size_t size = 7900000; size < 40000000; size += size / 50) {
        CHECK((block = realloc(block, size)) != NULL);
        CHECK_AT(malloc_usable_size(block) >= size && slub_pool_used(pool) == malloc_usable_size(block), size);
        memset(block + size - 100, 7, 100);
    }
    for (size_t size = 40000000; size > 5000000; size -= size / 20) {
        CHECK((block = realloc(block, size)) != NULL);
        CHECK_AT(malloc_usable_size(block) >= size && slub_pool_used(pool) == malloc_usable_size(block), size);
    }
    slub_pool_free(pool, block);
    CHECK(slub_pool_used(pool) == 0);
}

int main(void) {
    malloc_is_ours();
    for (unsigned flags = 0; flags < 2; flags++) {
        struct slub_pool *pool = pool_with("blocks", 0, NULL, flags);
        CHECK(slub_pool_used(pool) == 0);
        huge(pool);
        for (unsigned seed = 1; seed <= 3; seed++) {
            steps(pool, seed);
            CHECK(slub_pool_used(pool) == usable());
            if (seed == 2) {
                for (int i = 0; i < SLOTS; i++) free(slots[i].block);
            } else {
                CHECK(slub_pool_reset(pool, 0) == 0);
            }
            CHECK(slub_pool_used(pool) == 0);
        }
        steps(pool, 9);
        CHECK(slub_pool_destroy(pool, 0) == 0);
    }

    /* Null, no bytes, and too many. */
    struct slub_pool *pool = slub_pool_create(NULL);
    CHECK(pool != NULL);
    slub_pool_free(pool, NULL);
    void *nothing = slub_pool_malloc(pool, 0), *other = slub_pool_malloc(pool, 0);
    CHECK(nothing != NULL && other != NULL && nothing != other);
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(pool, (size_t)-1)));
    CHECK(REFUSED(ENOMEM, slub_pool_malloc(pool, (size_t)1 << 62)));
    CHECK(REFUSED(ENOMEM, slub_pool_calloc(pool, (size_t)-1, 16)));
    CHECK(REFUSED(EINVAL, slub_pool_aligned_alloc(pool, 48, 16)));
    CHECK(REFUSED(EINVAL, slub_pool_aligned_alloc(pool, 0, 16)));
    CHECK(slub_pool_realloc(pool, nothing, 0) == NULL);
    CHECK(slub_pool_realloc(pool, NULL, 100) != NULL);
    void *of_malloc = malloc(100), *of_mapping = malloc(6 * MIB);
    CHECK(slub_pool_of(of_malloc) == NULL && slub_pool_of(of_mapping) == NULL && slub_pool_of(NULL) == NULL);
    free(of_malloc);
    free(of_mapping);
    errno = 7;
    slub_pool_free(pool, other);
    CHECK(errno == 7);
    CHECK(slub_pool_destroy(pool, 2) == -1 && errno == EINVAL && slub_pool_used(pool) == 112);
    CHECK(slub_pool_destroy(pool, 0) == 0);
    CHECK(slub_pool_destroy(NULL, 0) == 0 && slub_pool_release(NULL) == 0);

    /* Versions of the options. */
    struct {
        struct slub_pool_options known;
        size_t beyond;
    } newer = {SLUB_POOL_OPTIONS_INIT, 0};
    newer.known.size = sizeof(newer);
    pool = slub_pool_create(&newer.known);
    CHECK(pool != NULL && slub_pool_destroy(pool, 0) == 0);
    newer.beyond = 1;
    CHECK(REFUSED(EINVAL, slub_pool_create(&newer.known)));
    struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
    options.size = offsetof(struct slub_pool_options, node);
    options.limit = 1000;
    pool = slub_pool_create(&options);
    CHECK(pool != NULL && slub_pool_malloc(pool, 2000) == NULL && slub_pool_destroy(pool, 0) == 0);
    options.size -= 1;
    CHECK(REFUSED(EINVAL, slub_pool_create(&options)));
    options.size = sizeof(options);
    options.flags = 1u << 20;
    CHECK(REFUSED(EINVAL, slub_pool_create(&options)));
    options.flags = 0;
    options.node = 63;
    CHECK(REFUSED(EINVAL, slub_pool_create(&options)));
    options.node = -2;
    CHECK(REFUSED(EINVAL, slub_pool_create(&options)));
    puts("ok");
    return 0;
}
