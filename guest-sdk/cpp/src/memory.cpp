// Memory that runs out ends the instance with a word in the log. The library's own would say it on a standard error that is
// not there, and bring all of stdio along.

#include <weir/log.hpp>

#include <cstdlib>
#include <new>

// What the bindings call, too, where they would abort.
extern "C" [[noreturn]] void weir_out_of_memory() {
    weir::write_log(weir::level::error, "out of memory");
    __builtin_trap();
}

namespace {

void *or_end(void *memory) {
    if (!memory) weir_out_of_memory();
    return memory;
}

void *aligned(std::size_t size, std::align_val_t alignment) {
    auto to = static_cast<std::size_t>(alignment);
    return or_end(std::aligned_alloc(to, (size + to - 1) / to * to));
}

} // namespace

void *operator new(std::size_t size) { return or_end(std::malloc(size ? size : 1)); }
void *operator new[](std::size_t size) { return operator new(size); }
void *operator new(std::size_t size, std::align_val_t alignment) { return aligned(size, alignment); }
void *operator new[](std::size_t size, std::align_val_t alignment) { return aligned(size, alignment); }

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
