/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A server that has a pool for what it needs while it answers a request. Strings and maps of the request are neither counted nor freed
 * one by one: reset() takes all of them at once. A request that needs more than the pool's limit gets an error, and the next one is
 * served as before.
 *
 *     c++ -std=c++17 examples/request_pool.cpp $(pkg-config --cflags --libs slubmalloc) -o request_pool && ./request_pool
 */
#include <algorithm>
#include <cstdio>
#include <slubmalloc.hpp>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>

using Text = std::pmr::string;

struct Request {
    Text path;
    std::pmr::unordered_map<Text, Text> headers;
};

/* The part of `text` before `separator`, which goes with it. */
static std::string_view cut(std::string_view &text, std::string_view separator) {
    std::string_view part = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), part.size() + separator.size()));
    return part;
}

static Text receive(int connection, std::pmr::memory_resource *memory) {
    Text text(memory);
    char part[1024];
    while (text.find("\r\n\r\n") == Text::npos) {
        ssize_t length = read(connection, part, sizeof part);
        if (length <= 0) break;
        text.append(part, std::size_t(length));
    }
    return text;
}

static Text answer(std::string_view text, std::pmr::memory_resource *memory) {
    Request request{Text(memory), std::pmr::unordered_map<Text, Text>(memory)};
    std::string_view first = cut(text, "\r\n");
    cut(first, " ");
    request.path = cut(first, " ");
    for (std::string_view line = cut(text, "\r\n"); !line.empty(); line = cut(text, "\r\n")) {
        Text name(cut(line, ": "), memory);
        request.headers[name] = line;
    }
    Text body(memory);
    for (auto &[name, value] : request.headers) body += name + " is " + value + "\n";
    return Text("HTTP/1.1 200 OK\r\nContent-Length: ", memory) + std::to_string(body.size()).c_str() + "\r\n\r\n" + body;
}

static void serve(int connection, slubmalloc::pool &memory) {
    std::string_view reply = "HTTP/1.1 413 Content Too Large\r\n\r\n";
    try {
        Text request = receive(connection, &memory);
        /* In the pool as well, and never destroyed. */
        reply = *new (memory.allocate(sizeof(Text), alignof(Text))) Text(answer(request, &memory), &memory);
    } catch (const std::bad_alloc &) {
        /* What was allocated until then goes below. */
    }
    if (write(connection, reply.data(), reply.size()) < 0) perror("write");
    memory.reset();
}

/* What a client sends, with `count` headers, and whether it is answered. */
static bool ask(slubmalloc::pool &memory, int count) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return false;
    std::string request = "GET /items/7 HTTP/1.1\r\n";
    for (int i = 0; i < count; i++) request += "X-Header-" + std::to_string(i) + ": some value of this header\r\n";
    request += "\r\n";
    char reply[65536];
    bool is_sent = write(ends[1], request.data(), request.size()) == ssize_t(request.size());
    serve(ends[0], memory);
    ssize_t length = read(ends[1], reply, sizeof reply);
    close(ends[0]);
    close(ends[1]);
    return is_sent && length > 0 && std::string_view(reply, std::size_t(length)).find(" 200 OK") != std::string_view::npos;
}

int main() {
    slubmalloc::pool_options options;
    options.name = "request";
    options.limit = 64 << 10;
    options.single_thread = true;
    slubmalloc::pool memory(options);
    int answered = 0, refused = 0;
    for (int number = 0; number < 1000; number++) {
        /* Each hundredth is too large. */
        (ask(memory, number % 100 == 99 ? 1000 : number % 50) ? answered : refused)++;
    }
    std::printf("%d requests answered, %d too large, %zu bytes in use\n", answered, refused, memory.used());
}
