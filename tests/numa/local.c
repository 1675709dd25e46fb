/*
 * Memory is local: threads on all nodes allocate, hand blocks to each other and free each other's; what each has at the
 * end lies on its own node. Then every thread moves to another node, and so does its memory, as it is replaced.
 *
 *     local OPERATIONS THREADS    operations of each thread, threads on each node
 */
#include "tally.h"
#include <stdatomic.h>

enum { SMALL = 20000, MEDIUM = 1000, LARGE = 100, HUGE = 3, SLOTS = SMALL + MEDIUM + LARGE + HUGE };

/* After a move: how often everything is replaced before it has to be at home. */
enum { PASSES = 4 };

struct worker {
    int number, node;
    uint64_t random;
    size_t handed;
    void *block[SLOTS];
    size_t bytes[SLOTS];
};

static struct worker workers[MAX_NODES];
static int count, node_count;
static set_t nodes;
static size_t operations;
static pthread_barrier_t all;
/* A block on its way from one thread to another. */
static _Atomic(void *) way[MAX_NODES][MAX_NODES];

/* About 75 MiB in all: each kind of slot has a share of its own. */
static size_t size_for(size_t slot, uint64_t draw) {
    size_t low = slot < SMALL                    ? 16u << (draw & 7)
                 : slot < SMALL + MEDIUM         ? 4096u << (draw & 3)
                 : slot < SMALL + MEDIUM + LARGE ? 65536u << (draw & 1)
                                                 : 8 * MIB;
    return slot < SLOTS - HUGE ? low + (draw >> 8) % low : low;
}

static size_t slot_for(uint64_t draw) {
    uint64_t dice = draw % 50000, place = draw >> 20;
    return dice == 0     ? SLOTS - HUGE + place % HUGE
           : dice < 250  ? SMALL + MEDIUM + place % LARGE
           : dice < 2500 ? SMALL + place % MEDIUM
                         : place % SMALL;
}

/* Gives the block to another thread; what that one has not taken yet comes back and is freed here. */
static void hand_over(struct worker *me, void *block, uint64_t draw) {
    int to = (me->number + 1 + (int)(draw % (uint64_t)(count > 1 ? count - 1 : 1))) % count;
    me->handed++;
    free(atomic_exchange(&way[me->number][to], block));
}

static void replace(struct worker *me, size_t slot) {
    uint64_t draw = random_of(&me->random);
    void *old = me->block[slot];
    if (old && draw >> 62 == 0) hand_over(me, old, draw >> 32);
    else free(old);
    if (draw >> 60 == 15) free(atomic_exchange(&way[draw % (unsigned)count][me->number], NULL));
    me->bytes[slot] = size_for(slot, random_of(&me->random));
    me->block[slot] = malloc(me->bytes[slot]);
    CHECK_AT(me->block[slot] != NULL, me->bytes[slot]);
    touch(me->block[slot], me->bytes[slot]);
}

static void *work(void *given) {
    struct worker *me = given;
    move_to_node(me->node);
    for (size_t slot = 0; slot < SLOTS; slot++) replace(me, slot);
    for (size_t i = SLOTS; i < operations; i++) replace(me, slot_for(random_of(&me->random)));
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    me->node = member(nodes, (me->number + 1) % node_count);
    move_to_node(me->node);
    for (int pass = 0; pass < PASSES; pass++)
        for (size_t slot = 0; slot < SLOTS; slot++) replace(me, slot);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    for (size_t slot = 0; slot < SLOTS; slot++) free(me->block[slot]);
    return NULL;
}

static void judge(const char *name) {
    for (int i = 0; i < count; i++) {
        struct tally tally = tally_begin();
        for (size_t slot = 0; slot < SLOTS; slot++)
            tally_block(&tally, workers[i].block[slot], workers[i].bytes[slot]);
        tally_end(&tally);
        char line[64];
        snprintf(line, sizeof line, "%s/node%d/thread%d", name, workers[i].node, i);
        judge_share(line, &tally, only(home_of(workers[i].node)), 99.9);
    }
}

int main(int argc, char **argv) {
    pthread_t threads[MAX_NODES];
    slubmalloc_is_in_charge();
    CHECK(argc == 3);
    operations = strtoul(argv[1], NULL, 10);
    nodes = nodes_with_cpus();
    node_count = __builtin_popcountll(nodes);
    count = node_count * atoi(argv[2]);
    CHECK_AT(count > 0 && count <= MAX_NODES, count);
    CHECK(pthread_barrier_init(&all, NULL, (unsigned)count + 1) == 0);
    for (int i = 0; i < count; i++) {
        workers[i].number = i;
        workers[i].node = member(nodes, i % node_count);
        workers[i].random = (uint64_t)i + 1;
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    pthread_barrier_wait(&all);
    judge("local");
    size_t handed = 0;
    for (int i = 0; i < count; i++) handed += workers[i].handed;
    verdict(count == 1 || handed > operations / 10, "local/handed", "%zu blocks between threads", handed);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    judge("migrated");
    pthread_barrier_wait(&all);
    for (int i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    return failures != 0;
}
