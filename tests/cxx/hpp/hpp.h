// What the programs here share.
#ifndef SLUBTEST_HPP_H
#define SLUBTEST_HPP_H

#include "../../c/check.h"
#include <slubmalloc.hpp>

// Whether a call throws this and nothing else.
template <class Error, class Call> bool throws(Call &&call) {
    try {
        call();
    } catch (const Error &) {
        return true;
    }
    return false;
}

// Whether it throws a std::system_error with this number.
template <class Call> bool throws_errno(int number, Call &&call) {
    try {
        call();
    } catch (const std::system_error &error) {
        return error.code() == std::error_code(number, std::generic_category());
    }
    return false;
}

inline slubmalloc::pool_options named(const char *name, std::size_t limit = 0, slub_pool *parent = nullptr) {
    slubmalloc::pool_options options;
    options.name = name;
    options.limit = limit;
    options.parent = parent;
    return options;
}

#endif
