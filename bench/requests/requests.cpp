/*
 * A loop of requests: each allocates 10 to 200 blocks of mixed sizes, and then all of them go at once. Pools of slubmalloc, heaps of
 * mimalloc, arenas of jemalloc and the pool resource of the standard library run the same requests in turns, in one process and one
 * thread. Prints the time of a request with each, and by how much it is the time of the fastest pool of slubmalloc's: medians.
 *
 * `run.sh` builds and runs it. Arguments: `name=FILE` for each peer's library, --rounds N, --frees, and
 * --only TEXT for those whose name has that.
 */
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <functional>
#include <memory_resource>
#include <slubmalloc.hpp>
#include <string>
#include <vector>

namespace {

constexpr int REQUESTS = 500;

/* What a request does: sizes, in the order of their allocations. */
using Request = std::vector<std::uint32_t>;

std::vector<Request> requests() {
    std::uint64_t state = 88172645463325252;
    auto random = [&](std::uint32_t least, std::uint32_t most) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return least + std::uint32_t(state >> 16) % (most - least + 1);
    };
    std::vector<Request> all(REQUESTS);
    for (auto &request : all) {
        request.resize(random(10, 200));
        for (auto &size : request) {
            std::uint32_t kind = random(1, 100);
            size = kind <= 70 ? random(16, 128) : kind <= 92 ? random(129, 1024) : kind <= 99 ? random(1025, 8192) : random(8193, 32768);
        }
    }
    return all;
}

/* Runs all requests. `heap` has begin(), allocate(size), free(block, size) and end(). With FREES every third block is freed soon. */
template <bool FREES, class Heap> void serve(Heap &heap, const std::vector<Request> &all) {
    for (auto &request : all) {
        heap.begin();
        char *before = nullptr;
        std::uint32_t bytes_before = 0;
        int number = 0;
        for (std::uint32_t size : request) {
            char *block = static_cast<char *>(heap.allocate(size));
            if (block == nullptr) std::abort();
            block[0] = 1, block[size - 1] = 2;
            if (FREES && number % 3 == 1) heap.free(before, bytes_before);
            before = block, bytes_before = size, number++;
        }
        heap.end();
    }
}

template <class Function> Function *function(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (found == nullptr) std::fprintf(stderr, "no %s\n", name), std::exit(1);
    return reinterpret_cast<Function *>(found);
}

/* By pointers, as those of the peers. */
slub_pool *(*volatile pool_create)(const slub_pool_options *) = slub_pool_create;
void *(*volatile pool_malloc)(slub_pool *, std::size_t) = slub_pool_malloc;
void (*volatile pool_free)(slub_pool *, void *) = slub_pool_free;
int (*volatile pool_reset)(slub_pool *, unsigned) = slub_pool_reset;
int (*volatile pool_destroy)(slub_pool *, unsigned) = slub_pool_destroy;

struct Pool {
    slub_pool *pool = nullptr;
    unsigned flags;
    explicit Pool(unsigned with) : flags(with) {
        slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
        options.flags = flags;
        pool = pool_create(&options);
    }
    void *allocate(std::size_t size) { return pool_malloc(pool, size); }
    void free(void *block, std::size_t) { pool_free(pool, block); }
    void begin() {}
    void end() { pool_reset(pool, 0); }
};

struct NewPool : Pool {
    using Pool::Pool;
    void begin() {
        slub_pool_options options = SLUB_POOL_OPTIONS_INIT;
        options.flags = flags;
        pool = pool_create(&options);
    }
    void end() { pool_destroy(pool, 0); }
};

struct Mimalloc {
    void *(*heap_new)();
    void *(*heap_malloc)(void *, std::size_t);
    void (*heap_destroy)(void *);
    void (*mi_free)(void *);
    void *heap = nullptr;
    explicit Mimalloc(void *library)
        : heap_new(function<void *()>(library, "mi_heap_new")),
          heap_malloc(function<void *(void *, std::size_t)>(library, "mi_heap_malloc")),
          heap_destroy(function<void(void *)>(library, "mi_heap_destroy")), mi_free(function<void(void *)>(library, "mi_free")) {}
    void *allocate(std::size_t size) { return heap_malloc(heap, size); }
    void free(void *block, std::size_t) { mi_free(block); }
    void begin() { heap = heap_new(); }
    void end() { heap_destroy(heap); }
};

/* An arena that is reset after each request, with or without a thread cache of its own. */
struct Jemalloc {
    using Control = int(const char *, void *, std::size_t *, void *, std::size_t);
    using ByNumbers = int(const std::size_t *, std::size_t, void *, std::size_t *, void *, std::size_t);
    Control *control;
    ByNumbers *by_numbers;
    void *(*mallocx)(std::size_t, int);
    void (*dallocx)(void *, int);
    std::size_t reset[3], reset_length = 3;
    unsigned arena = 0, cache = 0;
    int flags;
    bool has_cache;
    static Control *control_of(void *library) {
        return function<Control>(library, dlsym(library, "mallctl") != nullptr ? "mallctl" : "_rjem_mallctl");
    }
    Jemalloc(void *library, bool with_cache) : control(control_of(library)), has_cache(with_cache) {
        std::string prefix = dlsym(library, "mallctl") != nullptr ? "" : "_rjem_";
        by_numbers = function<ByNumbers>(library, (prefix + "mallctlbymib").c_str());
        mallocx = function<void *(std::size_t, int)>(library, (prefix + "mallocx").c_str());
        dallocx = function<void(void *, int)>(library, (prefix + "dallocx").c_str());
        std::size_t length = sizeof arena;
        if (control("arenas.create", &arena, &length, nullptr, 0) != 0) std::abort();
        if (has_cache && control("tcache.create", &cache, &length, nullptr, 0) != 0) std::abort();
        auto to_mib = function<int(const char *, std::size_t *, std::size_t *)>(library, (prefix + "mallctlnametomib").c_str());
        if (to_mib("arena.0.reset", reset, &reset_length) != 0) std::abort();
        reset[1] = arena;
        /* MALLOCX_ARENA and MALLOCX_TCACHE, or MALLOCX_TCACHE_NONE. */
        flags = int((arena + 1) << 20) | int((has_cache ? cache + 2 : 1) << 8);
    }
    void *allocate(std::size_t size) { return mallocx(size, flags); }
    void free(void *block, std::size_t) { dallocx(block, flags); }
    void begin() {}
    void end() {
        if (has_cache && control("tcache.flush", nullptr, nullptr, &cache, sizeof cache) != 0) std::abort();
        if (by_numbers(reset, reset_length, nullptr, nullptr, nullptr, 0) != 0) std::abort();
    }
};

struct Standard {
    std::pmr::unsynchronized_pool_resource resource;
    void *allocate(std::size_t size) { return resource.allocate(size, 16); }
    void free(void *block, std::size_t size) { resource.deallocate(block, size, 16); }
    void begin() {}
    void end() { resource.release(); }
};

struct Row {
    std::string name;
    std::function<void()> run;
    std::vector<double> times;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

} // namespace

int main(int count, char **arguments) {
    int rounds = 60;
    bool frees = false;
    std::string only;
    auto all = requests();
    std::vector<Row> rows;
    auto add = [&](std::string name, auto *heap) {
        auto run = [heap, &all, &frees] { frees ? serve<true>(*heap, all) : serve<false>(*heap, all); };
        rows.push_back({std::move(name), run, {}});
    };
    add("slub_pool, one thread, reset", new Pool(SLUB_POOL_SINGLE_THREAD));
    add("slub_pool, one thread, new for each", new NewPool(SLUB_POOL_SINGLE_THREAD));
    add("slub_pool, reset", new Pool(0));
    for (int i = 1; i < count; i++) {
        std::string argument = arguments[i], name = argument.substr(0, argument.find('='));
        if (argument == "--frees") {
            frees = true;
        } else if (argument == "--rounds" && i + 1 < count) {
            rounds = std::atoi(arguments[++i]);
        } else if (argument == "--only" && i + 1 < count) {
            only = arguments[++i];
        } else {
            void *library = dlopen(argument.c_str() + name.size() + 1, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
            if (library == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 2;
            if (name.rfind("mimalloc", 0) == 0) {
                add(name + ", mi_heap_new and _destroy", new Mimalloc(library));
            } else {
                add(name + ", arena, reset", new Jemalloc(library, false));
                add(name + ", arena and tcache, reset", new Jemalloc(library, true));
            }
        }
    }
    add("unsynchronized_pool_resource, release", new Standard);

    auto is_other = [&](const Row &row) { return row.name.find(only) == std::string::npos; };
    rows.erase(std::remove_if(rows.begin(), rows.end(), is_other), rows.end());
    if (rows.empty()) return std::fprintf(stderr, "no \"%s\"\n", only.c_str()), 2;

    /* The first round is not measured. */
    for (int round = 0; round <= rounds; round++) {
        for (std::size_t at = 0; at < rows.size(); at++) {
            Row &row = rows[(at + std::size_t(round)) % rows.size()];
            auto start = std::chrono::steady_clock::now();
            row.run();
            std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
            if (round > 0) row.times.push_back(took.count() / REQUESTS);
        }
    }
    auto time_of = [](const Row &row) { return median(row.times); };
    /* What is compared with: pools of slubmalloc come first. */
    double fastest = time_of(rows[0]);
    for (auto &row : rows)
        if (row.name.rfind("slub_pool", 0) == 0) fastest = std::min(fastest, time_of(row));
    for (auto &row : rows) {
        double least = *std::min_element(row.times.begin(), row.times.end());
        std::printf("%-45s %8.0f ns, least %8.0f ns, ratio %5.2f\n", row.name.c_str(), time_of(row), least, time_of(row) / fastest);
    }
}
