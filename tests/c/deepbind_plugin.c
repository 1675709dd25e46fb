/* A plug-in: takes the host's blocks, gives its own, and calls a function whose name its host has, too. */
#include <stdlib.h>
#include <string.h>

void plugin_takes(void *block) { free(block); }

void *plugin_gives(void) { return strdup("from the plug-in"); }

void *plugin_grows(void *block, size_t size) { return realloc(block, size); }

int plugin_lives_alone(void) {
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        char *block = malloc(size);
        if (block == NULL) return 0;
        memset(block, 1, size);
        free(block);
    }
    return 1;
}

const char *whose_name(void) { return "the plug-in"; }

const char *plugin_calls_name(void) { return whose_name(); }
