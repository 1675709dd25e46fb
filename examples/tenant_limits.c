/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tenants that share 8 MiB, of which none gets more than 6: a pool for all, one below it for each tenant, and below that one for each of
 * its jobs. A limit counts for all pools below it, and what a job had is there for others as soon as the job ends.
 *
 *     cc examples/tenant_limits.c $(pkg-config --cflags --libs slubmalloc) -o tenant_limits && ./tenant_limits
 */
#include <errno.h>
#include <slubmalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 << 10 };

static struct slub_pool *pool(const char *name, struct slub_pool *parent, size_t limit) {
    struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
    options.name = name;
    options.parent = parent;
    options.limit = limit;
    struct slub_pool *made = slub_pool_create(&options);
    if (made == NULL) {
        perror("slub_pool_create");
        exit(1);
    }
    return made;
}

/* A job that needs `wanted` blocks of memory; how many it got. */
static int work(struct slub_pool *job, int wanted) {
    int count = 0;
    for (; count < wanted; count++) {
        void *block = slub_pool_malloc(job, BLOCK);
        if (block == NULL) {
            if (errno != ENOMEM) perror("slub_pool_malloc");
            break;
        }
        memset(block, count, BLOCK);
    }
    return count;
}

static void tell(const char *what, int count, struct slub_pool *all) {
    printf("%s: %d blocks; all tenants: %zu KiB\n", what, count, slub_pool_used(all) >> 10);
}

int main(void) {
    struct slub_pool *all = pool("tenants", NULL, 8 << 20);
    struct slub_pool *red = pool("red", all, 6 << 20), *blue = pool("blue", all, 6 << 20);

    struct slub_pool *red_job = pool("red's job", red, 0);
    tell("red wants 200", work(red_job, 200), all);
    struct slub_pool *blue_job = pool("blue's job", blue, 0);
    tell("blue wants 50", work(blue_job, 50), all);

    /* The job ends, and with it all that it has allocated. */
    slub_pool_destroy(red_job, 0);
    tell("red's job ends, blue wants 50 more", work(blue_job, 50), all);

    slub_pool_set_limit(red, 1 << 20);
    red_job = pool("red's second job", red, 0);
    tell("red, with less now, wants 200", work(red_job, 200), all);

    slub_pool_destroy(red_job, 0);
    slub_pool_destroy(blue_job, 0);
    slub_pool_destroy(red, 0);
    slub_pool_destroy(blue, 0);
    tell("the end", 0, all);
    return slub_pool_destroy(all, 0);
}
