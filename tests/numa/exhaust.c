/* A node runs out of memory: allocation goes on, from the nearest node; when all is freed, new memory is at home again. */
#include "tally.h"

/* Blocks of 1 MiB and as much again in small ones, in turn. */
enum { SMALL_BYTES = 1000, SMALLS = 1048 };

struct turn {
    struct turn *next;
    struct small {
        struct small *next;
    } *smalls;
};

static struct turn *turns;
static size_t held, lacking;

static size_t node_bytes(int node, const char *key) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", node);
    return proc_number(path, key) * KIB;
}

static void take(void *bytes) {
    while (held < *(size_t *)bytes) {
        struct turn *turn = malloc(MIB);
        if (!turn) {
            lacking++;
            return;
        }
        touch(turn, MIB);
        turn->next = turns;
        turn->smalls = NULL;
        turns = turn;
        for (int i = 0; i < SMALLS; i++) {
            struct small *small = malloc(SMALL_BYTES);
            if (!small) {
                lacking++;
                return;
            }
            touch(small, SMALL_BYTES);
            small->next = turn->smalls;
            turn->smalls = small;
        }
        held += 2 * MIB;
    }
}

static void give_back(void *unused) {
    (void)unused;
    while (turns) {
        struct turn *turn = turns;
        turns = turn->next;
        while (turn->smalls) {
            struct small *small = turn->smalls;
            turn->smalls = small->next;
            free(small);
        }
        free(turn);
    }
    held = 0;
    malloc_trim(0);
}

static struct tally where(void) {
    struct tally tally = tally_begin();
    for (struct turn *turn = turns; turn; turn = turn->next) {
        tally_block(&tally, turn, MIB);
        for (struct small *small = turn->smalls; small; small = small->next) tally_block(&tally, small, SMALL_BYTES);
    }
    tally_end(&tally);
    return tally;
}

/* All in one thread: what it holds back in its caches must come home too. */
static void fill_and_refill(void *given) {
    int home = *(int *)given, neighbour = nearest(home, nodes_with_memory() & ~only(home));
    size_t spare = node_bytes(home, "MemFree:"), bytes = node_bytes(home, "MemTotal:") + 100 * MIB;
    take(&bytes);
    verdict(lacking == 0, "exhaust/goes-on", "%zu MiB for a thread of node %d, which had %zu MiB", held / MIB, home,
            spare / MIB);
    struct tally tally = where();
    verdict(tally.on[home] * PAGE >= spare / 10 * 8, "exhaust/home-first", "%zu of %zu MiB at home",
            tally.on[home] * PAGE / MIB, spare / MIB);
    struct tally over = tally;
    over.pages -= over.on[home];
    over.on[home] = 0;
    judge_share("exhaust/nearest", &over, only(neighbour), 90);

    give_back(NULL);
    bytes = 64 * MIB;
    take(&bytes);
    tally = where();
    judge_share("exhaust/back", &tally, only(home), 99.9);
    give_back(NULL);
}

int main(void) {
    slubmalloc_is_in_charge();
    int home = member(nodes_with_memory() & nodes_with_cpus(), 1);
    on_node(home, fill_and_refill, &home);
    return failures != 0;
}
