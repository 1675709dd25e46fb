// Calls of virtual functions and of a template, with destructors, for benches/stacks.rs.

using Leaf = void (*)(void *);
extern "C" int deep(int depth, Leaf leaf, void *data);

namespace {

struct Guard {
    int *counter;
    explicit Guard(int *counter) : counter(counter) { ++*counter; }
    ~Guard() { --*counter; }
};

struct Step {
    virtual ~Step() = default;
    virtual int go(int depth, Leaf leaf, void *data) const = 0;
};

template <int Size>
struct Sized : Step {
    int go(int depth, Leaf leaf, void *data) const override {
        volatile int numbers[Size];
        int counter = depth;
        Guard guard(&counter);
        numbers[depth % Size] = counter;
        int below = deep(depth, leaf, data);
        return below + numbers[depth % Size] + counter;
    }
};

const Sized<4> small;
const Sized<30> large;
const Step *const volatile steps[] = {&small, &large};

}

extern "C" int deep(int depth, Leaf leaf, void *data) {
    if (depth == 0) {
        leaf(data);
        return 1;
    }
    return steps[depth % 2]->go(depth - 1, leaf, data) + depth;
}
