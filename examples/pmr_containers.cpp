/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Containers of std::pmr in pools: an index of words, with a limit of its own within a limit of the whole program. It is built, used and
 * dropped, without a visit to each of its nodes.
 *
 *     c++ -std=c++17 examples/pmr_containers.cpp $(pkg-config --cflags --libs slubmalloc) -o pmr_containers && ./pmr_containers
 */
#include <cstdio>
#include <map>
#include <slubmalloc.hpp>
#include <string>
#include <vector>

/* All that is in it comes from the same resource: the map's nodes, the words, and the places where they are. */
using Index = std::pmr::map<std::pmr::string, std::pmr::vector<int>>;

static void add_words(Index &index, int first, int count) {
    for (int place = first; place < first + count; place++) {
        std::pmr::string word("word number ", index.get_allocator().resource());
        word += std::to_string(place % 1000);
        index[word].push_back(place);
    }
}

int main() {
    slubmalloc::pool_options options;
    options.name = "program";
    options.limit = 64 << 20;
    slubmalloc::pool program(options);

    options.name = "index";
    options.limit = 1 << 20;
    options.parent = program.handle();
    slubmalloc::pool memory(options);

    for (int round = 1; round <= 3; round++) {
        /* The index lies in its pool as well, so that nothing of it is left to be destroyed. */
        auto *index = new (memory.allocate(sizeof(Index), alignof(Index))) Index(&memory);
        add_words(*index, 0, 5000 * round);
        std::printf("round %d: %zu words, each %zu times\n", round, index->size(), index->begin()->second.size());
        memory.reset();
    }

    try {
        Index index(&memory);
        for (int first = 0;; first += 1000) add_words(index, first, 1000);
    } catch (const std::bad_alloc &) {
        std::printf("limit reached, %zu bytes in use afterwards\n", memory.used());
    }

    /* Containers with an allocator instead of a resource. */
    std::vector<int, slubmalloc::allocator<int>> numbers({3, 1, 2}, memory);
    std::printf("%zu numbers, from the %s\n", numbers.size(),
                slub_pool_of(numbers.data()) == memory.handle() ? "pool" : "heap");
}
