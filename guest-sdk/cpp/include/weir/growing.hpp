// A list that grows in the memory that is handed to the host, which frees it with free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "panic.hpp"

namespace weir {

template <class T>
class growing {
  public:
    growing() = default;
    growing(growing &&other) noexcept { swap(other); }
    growing &operator=(growing &&other) noexcept {
        swap(other);
        return *this;
    }
    ~growing() { std::free(ptr_); }

    std::size_t size() const { return size_; }
    T &operator[](std::size_t i) { return ptr_[i]; }
    const T *begin() const { return ptr_; }
    const T *end() const { return ptr_ + size_; }
    T *begin() { return ptr_; }
    T *end() { return ptr_ + size_; }

    void push(T item) {
        if (size_ == capacity_) [[unlikely]] grow(1);
        ptr_[size_++] = item;
    }

    void append(const T *items, std::size_t count) {
        if (capacity_ - size_ < count) [[unlikely]] grow(count);
        T *to = ptr_ + size_;
        if (count * sizeof(T) < 16) {
            // The call of memcpy costs more than a few bytes do.
#pragma clang loop vectorize(disable) unroll(disable)
            for (std::size_t i = 0; i < count; i++) to[i] = items[i];
        } else {
            std::memcpy(to, items, count * sizeof(T));
        }
        size_ += count;
    }

    void shorten(std::size_t size) { size_ = size; }

    // Hands the memory over. Whoever frees it looks at the length, so where that is 0 there is none.
    template <class List>
    List take() {
        List list = {nullptr, size_};
        if (size_) list.ptr = std::exchange(ptr_, nullptr);
        size_ = capacity_ = 0;
        std::free(std::exchange(ptr_, nullptr));
        return list;
    }

  private:
    // Room for a call of the usual size.
    static constexpr std::size_t first = 4096;

    [[gnu::noinline]] void grow(std::size_t by) {
        capacity_ = std::max({2 * capacity_, size_ + by, first});
        ptr_ = static_cast<T *>(std::realloc(static_cast<void *>(ptr_), capacity_ * sizeof(T)));
        if (!ptr_) panic("out of memory");
    }

    void swap(growing &other) {
        std::swap(ptr_, other.ptr_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    T *ptr_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

// Text in memory that is handed to the host.
inline wit_string_t handed_over(std::string_view text) {
    growing<std::uint8_t> copy;
    copy.append(reinterpret_cast<const std::uint8_t *>(text.data()), text.size());
    return copy.take<wit_string_t>();
}

// Items in memory that is handed to the host.
template <class List, class Items>
List handed_over(const Items &items) {
    growing<std::remove_cvref_t<decltype(*std::begin(items))>> copy;
    for (const auto &item : items) copy.push(item);
    return copy.template take<List>();
}

} // namespace weir
