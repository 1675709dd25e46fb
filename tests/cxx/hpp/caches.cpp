// Caches of objects that are constructed when they are made, and of objects that stay constructed.
#include "hpp.h"
#include <string>
#include <thread>
#include <vector>

using slubmalloc::cache;
using slubmalloc::cache_options;
using slubmalloc::kept_cache;

static int living, constructed, destroyed;

struct counted {
    std::string text;
    explicit counted(const char *what) : text(what) {
        if (text == "throw") throw 7;
        living++;
    }
    ~counted() { living--; }
};

struct alignas(256) wide {
    char bytes[300];
};

struct point {
    int x, y;
};

static cache_options limited(std::size_t limit) {
    cache_options options;
    options.limit = limit;
    return options;
}

static void made_and_destroyed() {
    const char *text = "a text that does not fit into the string itself";
    cache<counted> texts("texts");
    std::vector<counted *> all;
    for (int i = 0; i < 1000; i++) all.push_back(texts.make(text));
    CHECK(living == 1000 && texts.used() == 1000);
    for (auto *one : all) {
        CHECK(one->text == text && aligned_to(one, alignof(counted)));
        texts.destroy(one);
    }
    texts.destroy(nullptr);
    CHECK(living == 0 && texts.used() == 0);
    {
        auto one = texts.make_unique(text);
        cache<counted>::unique two, three = texts.make_unique("three");
        two = std::move(one);
        CHECK(living == 2 && one == nullptr && two->text == text && texts.used() == 2);
    }
    CHECK(living == 0 && texts.used() == 0);
    texts.shrink();
    CHECK(texts.close() && texts.handle() == nullptr && texts.close());
}

static void what_a_constructor_throws_comes_through() {
    cache<counted> texts("throwing", limited(1));
    for (int i = 0; i < 1000; i++) {
        CHECK(throws<int>([&] { (void)texts.make("throw"); }));
        CHECK(throws<int>([&] { (void)texts.try_make("throw"); }));
        CHECK(throws<int>([&] { (void)texts.make_unique("throw"); }));
    }
    CHECK(living == 0 && texts.used() == 0);
    // The one object that there may be was not lost.
    texts.destroy(texts.make("right"));
}

static void limits() {
    cache<point> points("points", limited(10));
    std::vector<cache<point>::unique> all;
    CHECK(throws<std::bad_alloc>([&] {
        for (;;) all.push_back(points.make_unique(1, int(all.size())));
    }));
    CHECK(all.size() == 10 && all[9]->x == 1 && all[9]->y == 9);
    CHECK(points.try_make() == nullptr);
    points.set_limit(11);
    point *zero = points.try_make();
    CHECK(zero != nullptr && zero->x == 0 && zero->y == 0);
    points.destroy(zero);
}

static void alignment_and_errors() {
    cache<wide> wides("wides");
    CHECK(slub_kmem_cache_alignment(wides.handle()) >= 256 && slub_kmem_cache_size(wides.handle()) == sizeof(wide));
    std::vector<cache<wide>::unique> all;
    for (int i = 0; i < 100; i++) {
        all.push_back(wides.make_unique());
        CHECK(aligned_to(all.back().get(), 256));
    }
    cache_options options;
    options.align = 1024;
    options.sheaf_capacity = 4;
    options.flags = SLUB_HWCACHE_ALIGN;
    cache<point> far_apart("far apart", options);
    auto one = far_apart.make_unique(), two = far_apart.make_unique();
    CHECK(aligned_to(one.get(), 1024) && aligned_to(two.get(), 1024));
    options.flags = 1;
    CHECK(throws_errno(EINVAL, [&] { cache<point> unknown("unknown flags", options); }));
    CHECK(throws_errno(EINVAL, [&] { cache<point> nameless(""); }));
}

// A cache with objects in use is kept, with a line of the library's.
static void ends_with_objects_in_use() {
    cache<counted>::unique late;
    {
        cache<counted> texts("kept");
        late = texts.make_unique("late");
        CHECK(!texts.close() && texts.handle() != nullptr);
        auto moved = std::move(texts);
        CHECK(texts.handle() == nullptr && moved.used() == 1);
        texts.shrink();
        CHECK(texts.used() == 0 && texts.try_make("none") == nullptr && texts.close());
        cache<counted> other("other");
        moved = std::move(other);
    }
    CHECK(living == 1 && late->text == "late");
    slub_kmem_cache *handle = late.get_deleter().handle;
    CHECK(slub_kmem_cache_used(handle) == 1);
    late.reset();
    CHECK(living == 0 && slub_kmem_cache_destroy(handle) == 0);
}

struct connection {
    std::vector<char> buffer;
    int uses = 0;
    connection() noexcept : buffer(4096) { constructed++; }
    ~connection() { destroyed++; }
};

static void kept_objects() {
    int rounds = 0;
    {
        kept_cache<connection> connections("connections");
        std::vector<connection *> all;
        for (int i = 0; i < 300; i++) {
            all.push_back(connections.take());
            all.back()->uses++;
        }
        CHECK(constructed >= 300 && destroyed == 0 && connections.used() == 300);
        for (auto *one : all) {
            CHECK(one->buffer.size() == 4096 && one->uses == 1);
            connections.put(one);
        }
        connections.put(nullptr);
        int before = constructed;
        for (; rounds < 10000; rounds++) {
            auto one = connections.take_unique();
            one->buffer[rounds % 4096] = 'x';
            CHECK(one->buffer.size() == 4096);
            one->uses++;
        }
        // Nothing was constructed anew, and the uses of all are still known.
        CHECK(constructed == before && connections.used() == 0);
        int uses = 0;
        for (auto &one : all) {
            one = connections.take();
            uses += one->uses;
        }
        CHECK(uses > 300);
        for (auto *one : all) connections.put(one);
        std::thread([&] { connections.put(connections.take()); }).join();
        connections.shrink();
        CHECK(destroyed > 0 && destroyed <= constructed);
        connections.put(connections.take());
    }
    CHECK(constructed > 300 && destroyed == constructed);
}

static void kept_limits() {
    kept_cache<point> points("kept points", limited(2));
    auto one = points.take_unique(), two = points.take_unique();
    CHECK(throws<std::bad_alloc>([&] { (void)points.take(); }) && points.try_take() == nullptr);
    one.reset();
    one.reset(points.try_take());
    CHECK(one != nullptr);
    kept_cache<point> moved(std::move(points));
    CHECK(moved.used() == 2 && points.handle() == nullptr);
    one.reset();
    two.reset();
}

int main() {
    made_and_destroyed();
    what_a_constructor_throws_comes_through();
    limits();
    alignment_and_errors();
    ends_with_objects_in_use();
    kept_objects();
    kept_limits();
    return done();
}
