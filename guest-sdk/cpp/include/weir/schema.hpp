// A row's columns against the input's, and what to say where they do not fit.
#pragma once

#include <array>
#include <span>

#include "call.hpp"
#include "value.hpp"

namespace weir {

using fields = std::span<const weir_operator_rows_field_t>;

inline std::string_view name_of(const weir_operator_rows_field_t &field) {
    return {reinterpret_cast<const char *>(field.name.ptr), field.name.len};
}

inline std::string listed(fields input) {
    if (input.empty()) return "no columns";
    std::string list;
    for (const auto &field : input) {
        if (!list.empty()) list += ", ";
        list += text("`", name_of(field), "` (", name_of(static_cast<data_type>(field.data_type)), ")");
    }
    return list;
}

// The index of a column. Fails the call where there is none; `verb` is what the operator does with it, `place` what the fields
// are those of.
inline std::uint32_t index_of(std::string_view name, fields input, std::string_view verb, std::string_view place = "input") {
    for (std::uint32_t i = 0; i < input.size(); i++) {
        if (name_of(input[i]) == name) return i;
    }
    fail("the ", place, " has no column `", name, "`, which the operator ", verb, "; it has ", listed(input));
    return 0;
}

// The indices of the columns that a row is read from.
template <class Row>
std::array<std::uint32_t, width<Row>> resolve(fields input, std::string_view place = "input") {
    std::array<std::uint32_t, width<Row>> indices;
    for_columns<Row>([&](auto i) {
        constexpr data_type wanted = data_type_of<type_at<Row, i>>();
        std::string_view name = std::get<i>(Row::columns).name;
        indices[i] = index_of(name, input, "reads", place);
        if (indices[i] >= input.size()) return;
        auto found = static_cast<data_type>(input[indices[i]].data_type);
        if (found == wanted || current.failure) return;
        fail("the operator reads column `", name, "` as ", name_of(wanted), ", but in the ", place, " it is ", name_of(found),
             "; the ", place, " has ", listed(input));
    });
    return indices;
}

// A row's columns as the host wants to hear of them.
template <class Row, class List>
List announced() {
    growing<weir_operator_rows_field_t> fields;
    for_columns<Row>([&](auto i) {
        using type = type_at<Row, i>;
        auto data_type = static_cast<weir_operator_rows_data_type_t>(data_type_of<type>());
        fields.push({handed_over(std::get<i>(Row::columns).name), data_type, is_nullable<type>});
    });
    return fields.take<List>();
}

// The place of a column in a row's struct; its width where there is none.
template <class Row>
consteval std::size_t place_of(std::string_view name) {
    std::size_t place = width<Row>;
    for_columns<Row>([&](auto i) {
        if (std::get<i>(Row::columns).name == name) place = i;
    });
    return place;
}

} // namespace weir
