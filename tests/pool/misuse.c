/* One mistake with pools, by its name. */
#include "pool.h"

static int is(const char *one, const char *other) { return strcmp(one, other) == 0; }

int main(int count, char **arguments) {
    CHECK(count > 1);
    const char *what = arguments[1];
    struct slub_pool *one = pool_with("one", 0, NULL, 0), *two = pool_with("two", 0, NULL, 0);
    char *block = slub_pool_malloc(one, 100), *large = slub_pool_malloc(one, 100 * KIB);
    int on_stack = 0;
    if (is(what, "wrong-pool")) slub_pool_free(two, block);
    if (is(what, "wrong-pool-large")) slub_pool_free(two, large);
    if (is(what, "wrong-realloc")) CHECK(REFUSED(EINVAL, slub_pool_realloc(two, block, 200)));
    if (is(what, "no-pool")) slub_pool_free(two, malloc(100));
    if (is(what, "no-pool-huge")) slub_pool_free(two, malloc(8 * MIB));
    if (is(what, "nowhere")) slub_pool_free(two, &on_stack);
    if (is(what, "interior")) slub_pool_free(one, block + 16);
    if (is(what, "interior-free")) free(block + 16);
    if (is(what, "interior-large")) free(large + 4096);
    if (is(what, "twice")) {
        slub_pool_free(one, block);
        slub_pool_free(one, block);
    }
    if (is(what, "twice-free")) {
        free(block);
        free(block);
    }
    if (is(what, "twice-large")) {
        slub_pool_free(one, large);
        slub_pool_free(one, large);
    }
    if (is(what, "twice-far")) {
        for (int i = 0; i < 5000; i++) slub_pool_malloc(one, 100);
        slub_pool_free(one, block);
        for (int i = 0; i < 1000; i++) slub_pool_free(one, slub_pool_malloc(one, 100));
        slub_pool_free(one, block);
    }
    if (is(what, "never-out")) slub_pool_free(one, block + 200 * 112);
    if (is(what, "destroyed")) {
        CHECK(slub_pool_destroy(one, 0) == 0);
        CHECK(REFUSED(EINVAL, slub_pool_malloc(one, 10)));
    }
    if (is(what, "destroyed-twice")) {
        CHECK(slub_pool_destroy(one, 0) == 0);
        CHECK(slub_pool_destroy(one, 0) == -1 && errno == EINVAL);
    }
    if (is(what, "destroyed-reused")) {
        CHECK(slub_pool_destroy(one, 0) == 0);
        for (int i = 0; i < 100; i++) CHECK(slub_pool_create(NULL) != one);
        slub_pool_free(one, malloc(100));
    }
    if (is(what, "destroyed-block")) {
        CHECK(slub_pool_destroy(one, 0) == 0);
        slub_pool_free(two, block);
    }
    if (is(what, "released")) {
        CHECK(slub_pool_release(one) == 0);
        slub_pool_free(one, block);
    }
    if (is(what, "released-twice")) {
        CHECK(slub_pool_release(one) == 0);
        CHECK(slub_pool_release(one) == -1 && errno == EINVAL);
    }
    if (is(what, "released-block-twice")) {
        CHECK(slub_pool_release(one) == 0);
        free(block);
        free(block);
    }
    if (is(what, "unknown")) CHECK(REFUSED(EINVAL, slub_pool_malloc((struct slub_pool *)&on_stack, 10)));
    if (is(what, "null")) CHECK(REFUSED(EINVAL, slub_pool_malloc(NULL, 10)));
    if (is(what, "null-free")) slub_pool_free(NULL, block);
    if (is(what, "parent")) {
        struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
        options.parent = one;
        CHECK(slub_pool_destroy(one, 0) == 0);
        CHECK(REFUSED(EINVAL, slub_pool_create(&options)));
    }
    puts("ok");
    return 0;
}
