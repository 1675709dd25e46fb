// A C++ library for a C program: all of libstdc++ arrives with it, in a local scope.
#include "../c/check.h"
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" int plugin_survives_bad_alloc() {
    volatile std::size_t impossible = std::size_t(PTRDIFF_MAX) + 1;
    int caught = 0;
    try {
        escape(::operator new(impossible));
    } catch (const std::bad_alloc &error) {
        caught += std::string(error.what()).find("bad_alloc") != std::string::npos;
    }
    try {
        escape(::operator new[](impossible, std::align_val_t(64)));
    } catch (const std::bad_alloc &) {
        caught++;
    }
    std::set_new_handler([] { throw std::bad_alloc(); });
    caught += escape(::operator new(impossible, std::nothrow)) == nullptr;
    try {
        escape(::operator new(impossible));
    } catch (const std::bad_alloc &) {
        caught++;
    }
    std::set_new_handler(nullptr);
    std::vector<std::string> words(1000, std::string(100, 'w'));
    try {
        throw std::runtime_error(words[999]);
    } catch (const std::exception &error) {
        caught += std::string(error.what()).size() == 100;
    }
    return caught;
}
