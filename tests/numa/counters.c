/* malloc_stats shows what numastat shows, for this heap: six rows, a column for each node; local_node counts at home. */
#include "numa.h"

static const char *const rows[] = {"numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node"};
enum { MISS = 1, FOREIGN = 2, LOCAL = 4, ROWS = 6 };

struct table {
    set_t columns;
    int found[ROWS];
    unsigned long long value[ROWS][MAX_NODES];
};

static char text[65536];

/* What malloc_stats writes to standard error. */
static void read_stats(void) {
    int file = open("/tmp/stats", O_RDWR | O_CREAT | O_TRUNC, 0600), kept = dup(2);
    CHECK(file >= 0 && kept >= 0 && dup2(file, 2) == 2);
    malloc_stats();
    CHECK(dup2(kept, 2) == 2);
    ssize_t length = pread(file, text, sizeof text - 1, 0);
    CHECK(length >= 0);
    text[length] = 0;
    close(file);
    close(kept);
}

/* Reads "node0 node2" from here on, or nothing. */
static int read_columns(char *word, char **rest, int *columns) {
    int count = 0;
    for (; word && count < MAX_NODES; word = strtok_r(NULL, " \t", rest)) {
        if (strncmp(word, "node", 4) != 0 || word[4] < '0' || word[4] > '9') return 0;
        columns[count++] = atoi(word + 4) % MAX_NODES;
    }
    return count;
}

/* The numbers of a row belong to the nodes of the last line that names some, with or without a word before them. */
static struct table parse(void) {
    struct table table = {0};
    int columns[MAX_NODES], count = 0;
    char *lines, *words;
    for (char *line = strtok_r(text, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
        char *heads = strstr(line, " node"), *word = strtok_r(heads ? heads : line, " \t", &words);
        if (heads) {
            count = read_columns(word, &words, columns);
            for (int i = 0; i < count; i++) table.columns |= only(columns[i]);
            continue;
        }
        for (int row = 0; word && row < ROWS; row++) {
            if (strcmp(word, rows[row]) != 0) continue;
            for (int i = 0; i < count && (word = strtok_r(NULL, " \t", &words)); i++) {
                table.value[row][columns[i]] = strtoull(word, NULL, 10);
                table.found[row]++;
            }
            break;
        }
    }
    return table;
}

static unsigned long long sum_of(const struct table *table, int row) {
    unsigned long long sum = 0;
    for (int node = 0; node < MAX_NODES; node++) sum += table->value[row][node];
    return sum;
}

static void allocate(void *unused) {
    (void)unused;
    for (int i = 0; i < 20000; i++) touch(malloc(200), 200);
    for (int i = 0; i < 20; i++) touch(malloc(MIB), MIB);
}

int main(void) {
    slubmalloc_is_in_charge();
    set_t nodes = nodes_with_memory();
    int node = member(nodes & nodes_with_cpus(), 1);
    move_to_node(member(nodes_with_cpus(), 0));
    free(escape(malloc(1)));
    read_stats();
    struct table before = parse();
    verdict(before.columns == nodes, "counters/columns", "nodes %#llx, the machine has %#llx",
            (unsigned long long)before.columns, (unsigned long long)nodes);
    for (int row = 0; row < ROWS; row++) {
        char name[64];
        snprintf(name, sizeof name, "counters/%s", rows[row]);
        verdict(before.found[row] == __builtin_popcountll(nodes), name, "%d numbers", before.found[row]);
    }
    on_node(node, allocate, NULL);
    read_stats();
    struct table after = parse();
    verdict(after.value[LOCAL][node] > before.value[LOCAL][node], "counters/grows", "local_node of node %d: %llu, then %llu",
            node, before.value[LOCAL][node], after.value[LOCAL][node]);
    verdict(sum_of(&after, MISS) == sum_of(&after, FOREIGN), "counters/balance", "missed %llu, foreign %llu",
            sum_of(&after, MISS), sum_of(&after, FOREIGN));
    return failures != 0;
}
