// Pools as memory resources: blocks, containers, limits, parents, the ends, and moves.
#include "hpp.h"
#include <list>
#include <memory_resource>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

using slubmalloc::pool;
using slubmalloc::pool_ref;

static_assert(!std::is_copy_constructible_v<pool> && !std::is_copy_assignable_v<pool>);
static_assert(std::is_nothrow_move_constructible_v<pool> && std::is_nothrow_move_assignable_v<pool>);

static void blocks() {
    for (bool single_thread : {false, true}) {
        slubmalloc::pool_options options;
        options.single_thread = single_thread;
        pool here(options);
        std::vector<std::pair<void *, std::size_t>> all;
        std::size_t bytes = 0;
        for (std::size_t align = 1; align <= 8192; align *= 2) {
            for (std::size_t size : {0, 1, 16, 100, 5000, 100000}) {
                void *block = here.allocate(size, align);
                CHECK(block != nullptr && aligned_to(block, align < 16 ? 16 : align));
                CHECK(slub_pool_of(block) == here.handle());
                paint(block, size, unsigned(all.size()));
                all.emplace_back(block, size);
                bytes += size;
            }
        }
        CHECK(here.used() >= bytes);
        for (std::size_t at = 0; at < all.size(); at++) CHECK_AT(painted(all[at].first, all[at].second, unsigned(at)), at);
        for (auto [block, size] : all) here.deallocate(block, size);
        CHECK(here.used() == 0);
        CHECK(throws<std::bad_alloc>([&] { (void)here.allocate(std::size_t(PTRDIFF_MAX), 16); }));
        CHECK(throws<std::bad_alloc>([&] { (void)here.allocate(std::size_t(PTRDIFF_MAX), 64); }));
    }
}

static void fill(std::pmr::memory_resource *here) {
    std::pmr::unordered_map<std::pmr::string, std::pmr::vector<std::pmr::string>> map(here);
    std::pmr::list<std::pmr::string> list(here);
    for (int i = 0; i < 2000; i++) {
        std::pmr::string text("a text that is longer than what a string has room for, ", here);
        text += std::to_string(i);
        map[text].push_back(text);
        map[text].emplace_back(text + " again");
        list.push_front(text);
        if (i % 3 == 0) list.pop_back();
        if (i % 5 == 4) map.erase(list.back());
    }
    for (auto &text : list) CHECK(text.get_allocator().resource() == here && text.size() > 50);
    for (auto &[key, texts] : map) {
        CHECK(key == texts.at(0) && texts.at(1).get_allocator().resource() == here);
        CHECK(slub_pool_of(key.data()) != nullptr && slub_pool_of(texts.data()) != nullptr);
    }
}

static void containers() {
    pool here(named("containers"));
    fill(&here);
    CHECK(here.used() == 0);
    pool_ref ref(here);
    fill(&ref);
    CHECK(ref.used() == 0);
    // What is in there goes without being destroyed.
    auto *lost = new (here.allocate(sizeof(std::pmr::string))) std::pmr::string(1000, 'x', &here);
    CHECK(here.used() >= 1000 && lost->size() == 1000);
    here.reset();
    CHECK(here.used() == 0);
    fill(&here);
    // Threads share it.
    std::thread other([&] { fill(&here); });
    fill(&here);
    other.join();
    CHECK(here.used() == 0);
}

static void equality() {
    pool one, two;
    pool_ref ref(one), same(one.handle()), copy(ref);
    CHECK(one == one && one != two && one != *std::pmr::new_delete_resource());
    CHECK(one == ref && ref == one && ref == same && copy == same && ref != two);
    copy = pool_ref(two);
    CHECK(copy == two && copy != one);
    // The other resource takes the block back.
    void *block = one.allocate(100);
    same.deallocate(block, 100);
    CHECK(one.used() == 0);
}

static void limits() {
    pool tenant(named("tenant", 1 << 20));
    pool request(named("request", 0, tenant.handle()));
    for (int round = 0; round < 3; round++) {
        std::pmr::vector<std::pmr::string> texts(&request);
        std::size_t before = 0;
        CHECK(throws<std::bad_alloc>([&] {
            for (;;) {
                texts.emplace_back(1000, 'x');
                before = texts.size();
            }
        }));
        // As it was before the one that failed.
        CHECK(before > 500 && texts.size() == before && texts.back() == std::pmr::string(1000, 'x'));
        CHECK(tenant.used() <= 1 << 20);
        CHECK(throws<std::bad_alloc>([&] { (void)tenant.allocate(100000); }));
    }
    CHECK(request.used() == 0);
    request.set_limit(8192);
    CHECK(throws<std::bad_alloc>([&] { (void)request.allocate(8193); }));
    request.deallocate(request.allocate(8192), 8192);
    request.set_limit(0);
    request.deallocate(request.allocate(900000), 900000);
    request.reset();
    CHECK(tenant.used() == 0);
}

static void refused() {
    auto options = named("nowhere");
    options.node = 9999;
    CHECK(throws_errno(EINVAL, [&] { pool nowhere(options); }));
}

static void ends() {
    pool tenant(named("tenant"));
    char *kept = nullptr;
    {
        pool request(named("request", 0, tenant.handle()));
        kept = static_cast<char *>(request.allocate(3000));
        paint(kept, 3000, 1);
        std::pmr::string text(500, 't', &request);
        request.release();
        CHECK(request.handle() == nullptr && request.used() == 0);
        CHECK(throws<std::bad_alloc>([&] { (void)request.allocate(1); }));
        CHECK(throws<std::system_error>([&] { request.reset(); }));
        CHECK(throws<std::system_error>([&] { request.set_limit(1); }));
        CHECK(throws<std::system_error>([&] { slubmalloc::pool_scope scope(request); }));
        CHECK(text.size() == 500 && tenant.used() >= 3500);
        // The string frees its block through the object.
    }
    CHECK(tenant.used() >= 3000 && painted(kept, 3000, 1));
    slub_free(kept);
    CHECK(tenant.used() == 0);
}

static void moves() {
    pool first(named("first", 1 << 20));
    std::pmr::string text(500, 't', &first);
    slubmalloc::allocator<int> ints(first);
    slub_pool *handle = first.handle();
    pool second(std::move(first));
    CHECK(second.handle() == handle && first.handle() == nullptr && second.used() >= 500);
    CHECK(throws<std::bad_alloc>([&] { (void)first.allocate(1); }));
    ints.deallocate(ints.allocate(10), 10);
    text = std::pmr::string();
    text.shrink_to_fit();
    CHECK(second.used() == 0);
    // What it had ends.
    pool parent(named("parent"));
    pool third(named("third", 0, parent.handle()));
    paint(third.allocate(100), 100, 1);
    CHECK(parent.used() > 0);
    third = std::move(second);
    CHECK(third.handle() == handle && second.handle() == nullptr && parent.used() == 0);
    pool &self = third;
    third = std::move(self);
    CHECK(third.handle() == handle);
    std::vector<pool> pools;
    for (int i = 0; i < 100; i++) pools.emplace_back(named("one of many", 1000));
    for (auto &one : pools) {
        CHECK(throws<std::bad_alloc>([&] { (void)one.allocate(1001); }));
        paint(one.allocate(500), 500, 2);
    }
    std::optional<pool> maybe;
    maybe.emplace();
    maybe.reset();
}

// What a part of the program allocates that knows nothing of pools comes from the one of the scope, where malloc is this library's.
static void scopes() {
    pool outer(named("outer")), inner(named("inner"));
    slub_pool *of_outer = outer.handle(), *of_inner = inner.handle();
    slubmalloc::allocator<char> heap;
    auto is_of = [&](slub_pool *expected) {
        char *block = heap.allocate(100);
        bool is_right = slub_pool_of(block) == expected;
        heap.deallocate(block, 100);
        std::string text(500, 't');
        bool is_ours = slubmalloc_node_of(text.data()) >= 0;
        return is_right && (!is_ours || slub_pool_of(text.data()) == expected);
    };
    CHECK(is_of(nullptr));
    {
        slubmalloc::pool_scope first(outer);
        CHECK(is_of(of_outer));
        try {
            slubmalloc::pool_scope second(inner);
            CHECK(is_of(of_inner));
            throw 7;
        } catch (int) {
        }
        CHECK(is_of(of_outer));
    }
    CHECK(is_of(nullptr));
    CHECK(throws_errno(EBUSY, [&] { outer.reset(); }));
    outer.reset(SLUB_POOL_FORCE);
    // One that was pushed is released at its end.
    char *kept = static_cast<char *>(outer.allocate(3000));
    paint(kept, 3000, 3);
    { pool ends(std::move(outer)); }
    CHECK(painted(kept, 3000, 3));
    slub_free(kept);
}

int main() {
    blocks();
    containers();
    equality();
    limits();
    refused();
    ends();
    moves();
    scopes();
    return done();
}
