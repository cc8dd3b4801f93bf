// Types that a column's values have in C++: bool, std::int64_t, double, std::string_view for text, and those that are
// here. A std::optional is a column that may have nulls.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "wit.h"

namespace weir {

// Microseconds since the Unix epoch, UTC.
struct timestamp {
    std::int64_t micros;
    friend auto operator<=>(const timestamp &, const timestamp &) = default;
};

// Bytes that need not be text.
struct binary {
    std::string_view bytes;
};

enum class data_type : weir_operator_rows_data_type_t { boolean, int64, float64, timestamp, utf8, binary };

constexpr std::string_view name_of(data_type type) {
    constexpr std::string_view names[] = {"boolean", "int64", "float64", "timestamp", "utf8", "binary"};
    return names[static_cast<std::size_t>(type)];
}

template <class T>
struct value {
    using bare = T;
    static constexpr bool is_nullable = false;
};

template <class T>
struct value<std::optional<T>> {
    using bare = T;
    static constexpr bool is_nullable = true;
};

// The type without the optional.
template <class T>
using bare = typename value<T>::bare;

template <class T>
inline constexpr bool is_nullable = value<T>::is_nullable;

template <class T>
consteval data_type data_type_of() {
    using bare = weir::bare<T>;
    if constexpr (std::is_same_v<bare, bool>) return data_type::boolean;
    else if constexpr (std::is_same_v<bare, std::int64_t>) return data_type::int64;
    else if constexpr (std::is_same_v<bare, double>) return data_type::float64;
    else if constexpr (std::is_same_v<bare, timestamp>) return data_type::timestamp;
    else if constexpr (std::is_same_v<bare, std::string_view>) return data_type::utf8;
    else if constexpr (std::is_same_v<bare, binary>) return data_type::binary;
    else static_assert(!sizeof(T), "a column is bool, std::int64_t, double, std::string_view, weir::timestamp or "
                                   "weir::binary, or an optional of one");
}

// A member of a row's struct, and the column that it is.
template <class Row, class T>
struct column {
    using type = T;
    std::string_view name;
    T Row::*member;
    // The input column that the values are parts of: the host takes them from there, and nothing is copied.
    std::string_view part_of = {};
};

template <class Row, class T>
column(std::string_view, T Row::*) -> column<Row, T>;
template <class Row, class T>
column(std::string_view, T Row::*, std::string_view) -> column<Row, T>;

// How many columns a row has.
template <class Row>
inline constexpr std::size_t width = std::tuple_size_v<decltype(Row::columns)>;

// The type of a row's column.
template <class Row, std::size_t I>
using type_at = typename std::tuple_element_t<I, std::remove_cvref_t<decltype(Row::columns)>>::type;

// Calls `f` with the index of each column, as a constant.
template <class Row, class F>
constexpr void for_columns(F &&f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (f(std::integral_constant<std::size_t, I>()), ...);
    }(std::make_index_sequence<width<Row>>());
}

// A tuple of `Of` of each column's type.
template <class Row, template <class> class Of, class = std::make_index_sequence<width<Row>>>
struct mapped;

template <class Row, template <class> class Of, std::size_t... I>
struct mapped<Row, Of, std::index_sequence<I...>> {
    using type = std::tuple<Of<type_at<Row, I>>...>;
};

} // namespace weir
