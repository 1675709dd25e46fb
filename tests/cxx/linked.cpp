// A C++ program linked against the installed library: containers, exceptions, both heads of the heap.
#include "slubmalloc.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <vector>

int main() {
    std::vector<std::string> words;
    for (int i = 0; i < 10000; i++) words.push_back(std::string(i % 100, 'w'));
    std::thread([&] { words.clear(); }).join();
    volatile std::size_t impossible = std::size_t(PTRDIFF_MAX) + 1;
    try {
        ::operator delete(::operator new(impossible));
        return 1;
    } catch (const std::bad_alloc &) {
    }
    free_sized(std::malloc(100), 100);
    std::puts("ok");
    return 0;
}
