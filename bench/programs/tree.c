/* A tree of bodies in space, built of small nodes, walked five times and freed in each step. argv: steps. */
#include "random.h"
#include <stdlib.h>

enum { BODIES = 20000, DEPTH = 20, WALKS = 5 };

struct node {
    struct node *parts[8];
    double place[3], mass;
};

static void insert(struct node **root, const uint32_t at[3]) {
    for (int depth = 0; depth <= DEPTH; depth++) {
        struct node *node = *root;
        if (node == NULL) {
            if ((node = calloc(1, sizeof *node)) == NULL) abort();
            for (int i = 0; i < 3; i++) node->place[i] = at[i];
            node->mass = 1;
            *root = node;
            return;
        }
        node->mass += 1;
        int part = 0;
        for (int i = 0; i < 3; i++) part |= (int)(at[i] >> (31 - depth) & 1) << i;
        root = &node->parts[part];
    }
}

static double walk(const struct node *node) {
    if (node == NULL) return 0;
    double sum = node->place[0] * node->mass;
    for (int i = 0; i < 8; i++) sum += walk(node->parts[i]);
    return sum;
}

static void drop(struct node *node) {
    if (node == NULL) return;
    for (int i = 0; i < 8; i++) drop(node->parts[i]);
    free(node);
}

int main(int count, char **words) {
    long steps = count > 1 ? atol(words[1]) : 60;
    double sum = 0;
    for (long step = 0; step < steps; step++) {
        struct node *root = NULL;
        for (int i = 0; i < BODIES; i++) {
            uint32_t at[3];
            for (int j = 0; j < 3; j++) at[j] = random_of(UINT32_MAX);
            insert(&root, at);
        }
        for (int i = 0; i < WALKS; i++) sum += walk(root);
        drop(root);
    }
    return sum < 0;
}
