// The end of an instance: what went wrong goes to the log, since the trap that follows says nothing. `assert` and `abort`
// do the same.
#pragma once

#include <cassert>
#include <source_location>
#include <string_view>

#include "log.hpp"

namespace weir {

// Something is wrong with the program itself.
[[noreturn]] inline void panic(std::string_view message, std::source_location at = std::source_location::current()) {
    log(level::error, at.file_name(), ":", at.line(), ": ", message);
    __builtin_trap();
}

} // namespace weir
