/* Pools whose every count is known: one below another, a limit, objects of two sizes, large and huge blocks, a released one, an empty one. */
#include <string.h>
#include <unistd.h>

#include <slubmalloc.h>

enum { SMALL = 1000, FREED = 300, MIDDLE = 40, LARGE = 3, LEFT = 5 };
static void *kept[SMALL];

static struct slub_pool *pool(const char *name, size_t limit, struct slub_pool *parent)
{
    struct slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
    options.name = name;
    options.limit = limit;
    options.parent = parent;
    struct slub_pool *made = slub_pool_create(&options);
    if (made == NULL) _exit(3);
    return made;
}

static void *block(struct slub_pool *from, size_t size)
{
    void *it = slub_pool_malloc(from, size);
    if (it == NULL) _exit(4);
    return memset(it, 1, size);
}

int main(void)
{
    struct slub_pool *request = pool("request \"1\"", 64 << 20, NULL);
    struct slub_pool *parser = pool("parser", 0, request);
    struct slub_pool *gone = pool("gone", 0, request);
    pool("empty", 1 << 20, NULL);
    for (int index = 0; index < SMALL; index++) kept[index] = block(parser, 192);
    for (int index = 0; index < FREED; index++) slub_pool_free(parser, kept[index]);
    for (int index = 0; index < MIDDLE; index++) block(parser, 5120);
    for (int index = 0; index < LARGE; index++) block(request, 300 << 10);
    block(request, 8 << 20);
    for (int index = 0; index < LEFT; index++) block(gone, 768);
    if (slub_pool_release(gone) != 0) _exit(5);
    if (write(1, "ready\n", 6) != 6) _exit(6);
    for (;;) pause();
}
