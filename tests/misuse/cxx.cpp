// Misuse as C++ programs do it. argv[1]: what.
#include "misuse.h"
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

struct Node {
    char name[40];
    ~Node() { name[0] = 0; }
};

struct Base {
    char small[24];
};

struct Derived : Base {
    char more[200];
};

template <class T> T *hidden(T *pointer) { return (T *)escape((void *)pointer); }

void *of_new(std::size_t size) {
    void *block = ::operator new(size);
    memset(block, 'a', size);
    return escape(block);
}

} // namespace

int main(int argc, char **argv) {
    slubmalloc_is_in_charge();
    CHECK(argc > 1);
    const char *what = argv[1];
    size_t size = argc > 2 ? argument(argc, argv, 2) : 64;
    settle_around(size);
    if (is(what, "delete_twice")) {
        void *block = of_new(size);
        ::operator delete(block);
        ::operator delete(guilty(block));
    } else if (is(what, "delete_array_twice")) {
        void *block = escape(::operator new[](size));
        ::operator delete[](block);
        ::operator delete[](guilty(block), size);
    } else if (is(what, "free_then_delete")) {
        void *block = escape(std::malloc(size));
        std::free(block);
        ::operator delete(guilty(block), std::nothrow);
    } else if (is(what, "two_owners")) {
        int *block = hidden(new int[size / sizeof(int)]);
        std::unique_ptr<int[]> one(block), other(block);
        one.reset();
        guilty(block);
        other.reset();
    } else if (is(what, "delete_stack")) {
        Base on_the_stack;
        ::operator delete(guilty(&on_the_stack));
    } else if (is(what, "delete_inside")) {
        char *block = static_cast<char *>(of_new(size));
        ::operator delete(guilty(block + 16));
    } else if (is(what, "delete_for_delete_array")) {
        // The array's length stands in front of it, so this is the inside of the block.
        Node *nodes = hidden(new Node[7]);
        ::operator delete(guilty(nodes));
    } else if (is(what, "base_without_virtual_destructor")) {
        Base *base = hidden<Base>(new Derived);
        guilty(base);
        delete base;
    } else if (is(what, "array_overflow")) {
        int *numbers = hidden(new int[size / sizeof(int)]);
        blame(numbers, numbers + size / sizeof(int), sizeof(int));
        stage("misuse");
        for (size_t i = 0; i <= size / sizeof(int); i++) static_cast<volatile int *>(numbers)[i] = 7;
        stage("free");
        delete[] numbers;
    } else if (is(what, "reference_into_vector")) {
        std::vector<int> numbers(size / sizeof(int), 7);
        int *first = hidden(&numbers[0]);
        numbers.resize(2 * numbers.capacity() + 1, 8);
        blame(first, first, sizeof(int));
        stage("misuse");
        *static_cast<volatile int *>(first) = 9;
    } else if (is(what, "c_str_of_the_dead")) {
        const char *text;
        {
            std::string string(size - 1, 'a');
            text = hidden(string.c_str());
        }
        blame(text, text, 8);
        stage("misuse");
        look_for(text, 8, 0x6b);
    } else {
        CHECK(!"known");
    }
    flush_around();
    go_on(size);
    return leave();
}
