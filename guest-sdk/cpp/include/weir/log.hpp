// The task's log. The host bounds how much it keeps.
#pragma once

#include <string_view>

#include "text.hpp"
#include "wit.h"

namespace weir {

enum class level : weir_operator_log_level_t { debug, info, warn, error };

inline void write_log(level level, std::string_view message) {
    wit_string_t text{reinterpret_cast<std::uint8_t *>(const_cast<char *>(message.data())), message.size()};
    weir_operator_log_log(static_cast<weir_operator_log_level_t>(level), &text);
}

// Appends a line of texts and numbers.
template <class... Parts>
void log(level level, const Parts &...parts) {
    write_log(level, text(parts...));
}

} // namespace weir
