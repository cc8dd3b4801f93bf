// Text put together from parts.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace weir {

inline void append(std::string &text, std::string_view part) { text += part; }

// No other type is to become a bool, as a pointer would.
inline void append(std::string &text, std::same_as<bool> auto part) { text += part ? "true" : "false"; }

template <class T>
    requires((std::integral<T> || std::floating_point<T>) && !std::same_as<T, bool>)
void append(std::string &text, T part) {
    char digits[32];
    text.append(digits, std::to_chars(digits, digits + sizeof digits, part).ptr);
}

// Texts and numbers, one after the other: weir::text("row ", 3, " is too long").
template <class... Parts>
std::string text(const Parts &...parts) {
    std::string joined;
    (append(joined, parts), ...);
    return joined;
}

} // namespace weir
