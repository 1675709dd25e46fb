/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A cache of connections whose locks and buffers are made once and not for each connection.
 *
 *     cc examples/object_cache.c $(pkg-config --cflags --libs slubmalloc) -o object_cache && ./object_cache
 */
#include <pthread.h>
#include <slubmalloc.h>
#include <stdio.h>
#include <stdlib.h>

struct connection {
    pthread_mutex_t lock;
    char *buffer;
    int number;
};

static int buffers;

/* Before an object is first handed out. What is made here stays while the object is free. */
static void construct(void *object) {
    struct connection *connection = object;
    pthread_mutex_init(&connection->lock, NULL);
    connection->buffer = malloc(4096);
    if (connection->buffer == NULL) abort();
    buffers++;
}

/* Before the object's memory goes. */
static void destroy(void *object) {
    struct connection *connection = object;
    pthread_mutex_destroy(&connection->lock);
    free(connection->buffer);
    buffers--;
}

int main(void) {
    struct slub_kmem_cache_args args = {.size = sizeof args, .ctor = construct, .dtor = destroy, .limit = 10000};
    struct slub_kmem_cache *connections =
        slub_kmem_cache_create_args("connection", sizeof(struct connection), &args, SLUB_HWCACHE_ALIGN);
    if (connections == NULL) {
        perror("slub_kmem_cache_create_args");
        return 1;
    }
    for (int number = 0; number < 100000; number++) {
        struct connection *connection = slub_kmem_cache_alloc(connections, SLUB_GFP_KERNEL);
        if (connection == NULL) {
            perror("slub_kmem_cache_alloc");
            return 1;
        }
        pthread_mutex_lock(&connection->lock);
        snprintf(connection->buffer, 4096, "request %d", number);
        connection->number = number;
        /* As the constructor left it: that is how the next one finds it. */
        pthread_mutex_unlock(&connection->lock);
        slub_kmem_cache_free(connections, connection);
    }
    printf("%s: 100000 connections, %d buffers, %zu in use\n", slub_kmem_cache_name(connections), buffers,
           slub_kmem_cache_used(connections));
    if (slub_kmem_cache_destroy(connections) != 0) return 1;
    printf("destroyed, %d buffers\n", buffers);
    return 0;
}
