/* Pools of one name: a parent and its child, another one, and as many more as it is told, each with objects of its own. */
#include <stdlib.h>
#include <unistd.h>

#include <slubmalloc.h>

enum { SIZE = 192 };

static struct slub_pool *pool(const char *name, size_t limit, struct slub_pool *parent, int objects)
{
    struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
    options.name = name;
    options.limit = limit;
    options.parent = parent;
    struct slub_pool *made = slub_pool_create(&options);
    if (made == NULL) _exit(3);
    for (int index = 0; index < objects; index++)
        if (slub_pool_malloc(made, SIZE) == NULL) _exit(4);
    return made;
}

int main(int count, char **arguments)
{
    struct slub_pool *parent = pool("twin", 2 << 20, NULL, 1000);
    pool("twin", 1 << 20, parent, 500);
    pool("twin", 1 << 20, NULL, 250);
    int more = count > 1 ? atoi(arguments[1]) : 0;
    for (int index = 0; index < more; index++) pool("request", 0, NULL, 1);
    if (write(1, "ready\n", 6) != 6) _exit(5);
    for (;;) pause();
}
