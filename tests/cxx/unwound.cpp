// Calls of every kind that an unwinder meets, for tests/unwind.rs: compiled with and without frame pointers. Each of them ends in
// `leaf(data)`.

#include <alloca.h>
#include <cstring>

#ifndef WORDS
#define WORDS 8
#endif

using Leaf = void (*)(void *);
extern "C" int deep(int depth, Leaf leaf, void *data);

namespace {

int with_registers(int depth, Leaf leaf, void *data) {
    int one = depth * 3, two = depth ^ 5, three = depth + 7;
    return deep(depth, leaf, data) * one + two * three;
}

int with_array(int depth, Leaf leaf, void *data) {
    volatile long numbers[WORDS];
    numbers[depth % WORDS] = depth;
    return deep(depth, leaf, data) + static_cast<int>(numbers[depth % WORDS]);
}

int of_any_size(int depth, Leaf leaf, void *data) {
    auto bytes = static_cast<volatile char *>(alloca(static_cast<size_t>(depth) * 24 + 16));
    bytes[depth] = 1;
    return deep(depth, leaf, data) + bytes[depth];
}

int realigned(int depth, Leaf leaf, void *data) {
    alignas(64) volatile long numbers[8];
    numbers[depth % 8] = depth;
    return deep(depth, leaf, data) + static_cast<int>(numbers[depth % 8]);
}

int with_large_frame(int depth, Leaf leaf, void *data) {
    volatile char bytes[600 << 10];
    bytes[depth] = 1;
    return deep(depth, leaf, data) + bytes[depth];
}

struct AtEnd {
    Leaf leaf;
    void *data;
    ~AtEnd() { leaf(data); }
};

int (*const volatile kinds[])(int, Leaf, void *) = {with_registers, with_array, of_any_size, realigned};
int (*const volatile large)(int, Leaf, void *) = with_large_frame;

}

extern "C" int deep(int depth, Leaf leaf, void *data) {
    if (depth == 0) {
        leaf(data);
        return 1;
    }
    return kinds[depth % 4](depth - 1, leaf, data) + depth;
}

extern "C" int above_large_frame(int depth, Leaf leaf, void *data) {
    return large(depth, leaf, data) + 1;
}

// In a destructor while an exception passes, and where it is caught.
extern "C" int in_landing_pads(int depth, Leaf leaf, void *data) {
    try {
        AtEnd end{leaf, data};
        deep(depth, [](void *) { throw 1; }, nullptr);
    } catch (int) {
        leaf(data);
    }
    return 1;
}

extern "C" void calls(void (*function)(void *, Leaf, void *), void *argument, Leaf leaf, void *data) {
    volatile long numbers[4];
    numbers[1] = 1;
    function(argument, leaf, data);
    numbers[1] = 2;
}
