/*
 * Where blocks of all sizes lie under a policy, of the system's or of SLUBMALLOC_CONF.
 *
 *     where NAME only NODES     all pages on these nodes, whatever node a thread runs on
 *     where NAME home           99.9 % of a thread's pages on the nearest node that it may use
 *     where NAME even NODES     the pages of one 32 MiB block spread evenly, to 5 points
 *     where NAME small NODES    the pages of 64 MiB in objects of 64 bytes spread evenly, to a tenth of a node's share
 *     where NAME rough NODES    likewise, to 7 points, since the kernel spreads huge pages, of which there are 32
 *     where NAME unbound        no block's memory has a policy of its own
 *
 * NODES is a list such as 0-2,4; `all` is every node that has memory.
 */
#include "tally.h"

/* How many blocks of each size make up a thread's mix; about 44 MiB. */
static const struct kind {
    size_t bytes, count;
} kinds[] = {{64, 20000}, {1000, 5000}, {5000, 2000}, {100000, 50}, {MIB, 8}, {8 * MIB, 2}};

#define KINDS (sizeof kinds / sizeof *kinds)

static void *blocks[KINDS][20000];

#define EACH_BLOCK(kind, i)                                                                       \
    for (size_t kind = 0; kind < KINDS; kind++)                                                   \
        for (size_t i = 0; i < kinds[kind].count; i++)

static void take_mix(void *unused) {
    (void)unused;
    EACH_BLOCK(kind, i) {
        blocks[kind][i] = malloc(kinds[kind].bytes);
        CHECK_AT(blocks[kind][i] != NULL, kinds[kind].bytes);
        touch(blocks[kind][i], kinds[kind].bytes);
    }
}

static void free_mix(void) { EACH_BLOCK(kind, i) free(blocks[kind][i]); }

/* A thread on each node in turn; the main thread frees, so most blocks return to another node. */
static void mixes(const char *name, set_t expected, double least) {
    EACH_OF(nodes_with_cpus(), node) {
        char line[128];
        snprintf(line, sizeof line, "%s/from-node%d", name, node);
        on_node(node, take_mix, NULL);
        struct tally tally = tally_begin();
        EACH_BLOCK(kind, i) tally_block(&tally, blocks[kind][i], kinds[kind].bytes);
        tally_end(&tally);
        judge_share(line, &tally, expected ? expected : only(home_of(node)), least);
        free_mix();
    }
}

static void even(const char *name, set_t nodes) {
    void *block = malloc(32 * MIB);
    CHECK(block != NULL);
    touch(block, 32 * MIB);
    struct tally tally = tally_begin();
    tally_block(&tally, block, 32 * MIB);
    tally_end(&tally);
    judge_even(name, &tally, nodes, 5);
    free(block);
}

static void small(const char *name, set_t nodes, double slack) {
    struct object {
        struct object *next;
        char rest[56];
    } *objects = NULL;
    struct tally tally = tally_begin();
    for (size_t i = 0; i < MIB; i++) {
        struct object *object = malloc(sizeof *object);
        CHECK(object != NULL);
        object->next = objects;
        objects = object;
        tally_block(&tally, object, sizeof *object);
    }
    tally_end(&tally);
    judge_even(name, &tally, nodes, slack);
}

static void unbound(const char *name) {
    const unsigned long by_address = 2;
    size_t bound = 0, count = 0;
    take_mix(NULL);
    EACH_BLOCK(kind, i) {
        /* Neighbours share a policy; one in a hundred tells. */
        if (i % 100) continue;
        int mode = -1;
        CHECK(syscall(SYS_get_mempolicy, &mode, NULL, 0, blocks[kind][i], by_address) == 0);
        bound += mode != 0;
        count++;
    }
    free_mix();
    verdict(bound == 0, name, "%zu of %zu blocks have a policy of their own", bound, count);
}

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc >= 3);
    const char *name = argv[1], *mode = argv[2];
    set_t nodes = argc < 4 || strcmp(argv[3], "all") == 0 ? nodes_with_memory() : parse_list(argv[3]);
    if (strcmp(mode, "only") == 0) mixes(name, nodes, 100);
    else if (strcmp(mode, "home") == 0) mixes(name, 0, 99.9);
    else if (strcmp(mode, "even") == 0) even(name, nodes);
    else if (strcmp(mode, "small") == 0) small(name, nodes, 10.0 / __builtin_popcountll(nodes));
    else if (strcmp(mode, "rough") == 0) small(name, nodes, 7);
    else if (strcmp(mode, "unbound") == 0) unbound(name);
    else CHECK(!"a known mode");
    return failures != 0;
}
