// The allocator in containers, from a pool and from the heap.
#include "hpp.h"
#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

using slubmalloc::allocator;
using slubmalloc::pool;

using String = std::basic_string<char, std::char_traits<char>, allocator<char>>;
template <class T> using Vector = std::vector<T, allocator<T>>;

struct alignas(64) line {
    int number[16];
};
struct alignas(4096) page {
    char bytes[4096];
};
struct alignas(64) odd {
    char bytes[192];
};

static_assert(!std::allocator_traits<allocator<int>>::is_always_equal::value);
static_assert(std::is_same_v<std::allocator_traits<allocator<int>>::rebind_alloc<line>, allocator<line>>);
static_assert(std::is_nothrow_copy_constructible_v<allocator<int>>);
static_assert(std::is_convertible_v<allocator<int>, allocator<char>> && std::is_convertible_v<pool &, allocator<char>>);
#ifdef __cpp_lib_allocate_at_least
static_assert(std::is_same_v<decltype(allocator<int>().allocate_at_least(1)), std::allocation_result<int *>>);
#endif

static void containers(allocator<char> where) {
    std::map<int, String, std::less<int>, allocator<std::pair<const int, String>>> map(where);
    std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, allocator<std::pair<const int, int>>> hash(where);
    std::list<line, allocator<line>> lines(where);
    std::deque<odd, allocator<odd>> odds(where);
    Vector<page> pages(where);
    Vector<String> texts(where);
    for (int i = 0; i < 1000; i++) {
        map.emplace(i, String(std::size_t(i), 'm', where));
        hash[i] = i;
        lines.push_back(line{{i}});
        odds.push_back(odd{});
        if (i % 20 == 0) pages.emplace_back();
        texts.emplace_back(std::size_t(i % 100), 't', where);
        CHECK(aligned_to(&lines.back(), 64) && aligned_to(&odds.back(), 64) && aligned_to(&pages.back(), 4096));
    }
    for (int i = 0; i < 1000; i++) CHECK(map.at(i).size() == std::size_t(i) && hash.at(i) == i);
    CHECK(slub_pool_of(texts.data()) == where.pool() && slub_pool_of(pages.data()) == where.pool());
    CHECK(slub_pool_of(map.at(999).data()) == where.pool());
    auto shared = std::allocate_shared<line>(where);
    CHECK(aligned_to(shared.get(), 64));
}

template <class T> static void at_least(allocator<T> where) {
    for (std::size_t count : {1, 3, 7, 100, 1001, 50000}) {
        auto [block, room] = where.allocate_at_least(count);
        CHECK_AT(room >= count && aligned_to(block, std::max(alignof(T), std::size_t{16})), count);
        paint(block, room * sizeof(T), 7);
        CHECK(painted(block, room * sizeof(T), 7));
        if (where.pool() != nullptr || alignof(T) <= 16) CHECK(slub_usable_size(block) / sizeof(T) == room);
        // With any number from the one that was asked for to the one that there is.
        where.deallocate(block, count % 2 == 0 ? count : room);
    }
}

static void aligned_blocks_of_the_heap() {
    allocator<line> lines;
    allocator<page> pages;
    allocator<odd> odds;
    for (std::size_t count = 0; count < 40; count++) {
        line *one = lines.allocate(count);
        page *two = pages.allocate(count);
        odd *three = odds.allocate(count);
        CHECK_AT(aligned_to(one, 64) && aligned_to(two, 4096) && aligned_to(three, 64), count);
        paint(one, count * sizeof *one, 1);
        paint(two, count * sizeof *two, 2);
        paint(three, count * sizeof *three, 3);
        CHECK_AT(painted(one, count * sizeof *one, 1) && painted(two, count * sizeof *two, 2), count);
        lines.deallocate(one, count);
        pages.deallocate(two, count);
        odds.deallocate(three, count);
    }
    // 8 MiB, a power of two that kmalloc() does not align.
    page *many = pages.allocate(2048);
    CHECK(aligned_to(many, 4096));
    pages.deallocate(many, 2048);
}

static void equality_and_assignment() {
    pool one, two;
    allocator<int> heap, in_one(one), in_two(two.handle());
    allocator<long> also_one(in_one);
    CHECK(heap == allocator<char>() && heap != in_one && in_one == also_one && in_one != in_two);
    CHECK(!(heap == in_one) && !(in_one != also_one));

    Vector<int> first({1, 2, 3}, in_one), second({4}, in_two);
    Vector<int> copy(first);
    CHECK(copy.get_allocator() == in_one && copy == first && copy.data() != first.data());
    second = first;
    CHECK(second == first && second.get_allocator() == in_two);
    second = std::move(copy);
    CHECK(second == first && second.get_allocator() == in_two && slub_pool_of(second.data()) == two.handle());
    int *block = first.data();
    Vector<int> moved(std::move(first));
    CHECK(moved.data() == block && moved.get_allocator() == in_one);
    second.push_back(5);
    swap(moved, second);
    CHECK(moved.size() == 4 && moved.get_allocator() == in_two && second.get_allocator() == in_one);
    CHECK(slub_pool_of(second.data()) == one.handle());
}

static void limits() {
    pool small(named("small", 100000));
    Vector<int> numbers(small);
    CHECK(throws<std::bad_alloc>([&] {
        for (int i = 0;; i++) numbers.push_back(i);
    }));
    CHECK(!numbers.empty() && numbers.back() + 1 == int(numbers.size()) && small.used() <= 100000);
    numbers = Vector<int>(small);
    numbers.shrink_to_fit();
    CHECK(small.used() == 0);
    for (allocator<line> lines : {allocator<line>(), allocator<line>(small)}) {
        CHECK(throws<std::bad_alloc>([&] { (void)lines.allocate(PTRDIFF_MAX / sizeof(line)); }));
        CHECK(throws<std::bad_array_new_length>([&] { (void)lines.allocate(SIZE_MAX / sizeof(line) + 1); }));
        CHECK(throws<std::bad_alloc>([&] { (void)lines.allocate_at_least(SIZE_MAX / sizeof(line)); }));
    }
}

int main() {
    pool here(named("here"));
    containers(allocator<char>());
    containers(here);
    at_least(allocator<char>());
    at_least(allocator<int[3]>());
    at_least(allocator<odd>());
    at_least(allocator<char>(here));
    at_least(allocator<int[3]>(here));
    at_least(allocator<odd>(here));
    CHECK(here.used() == 0);
    aligned_blocks_of_the_heap();
    equality_and_assignment();
    limits();
    return done();
}
