// The rows of a call, as structs whose members are columns.
#pragma once

#include <array>

#include "view.hpp"

namespace weir {

// The rows of a call.
template <class Row>
class rows {
  public:
    explicit rows(const weir_operator_rows_batch_t &batch)
        : rows(batch, std::make_index_sequence<width<Row>>()) {}

    // Of a batch with other columns, too: those at `indices` are the row's.
    rows(const weir_operator_rows_batch_t &batch, const std::array<std::uint32_t, width<Row>> &indices)
        : rows(batch, indices, std::make_index_sequence<width<Row>>()) {}

    std::uint32_t size() const { return size_; }

    // A column by its place in Row::columns.
    template <std::size_t I>
    const auto &column() const {
        return std::get<I>(views_);
    }

    // The row, or none if a member that is no optional is null in it.
    std::optional<Row> operator[](std::size_t row) const {
        Row read{};
        bool is_whole = true;
        for_columns<Row>([&](auto i) {
            const auto &view = std::get<i>(views_);
            auto &member = read.*std::get<i>(Row::columns).member;
            if constexpr (is_nullable<type_at<Row, i>>) {
                member = view[row];
            } else if (view.is_null(row)) {
                is_whole = false;
            } else {
                member = view.raw(row);
            }
        });
        return is_whole ? std::optional<Row>(read) : std::nullopt;
    }

    // The column that keeps a row from being had.
    std::string_view null_in(std::size_t row) const {
        std::string_view name;
        for_columns<Row>([&](auto i) {
            bool is_it = !is_nullable<type_at<Row, i>> && std::get<i>(views_).is_null(row);
            if (is_it && name.empty()) name = std::get<i>(Row::columns).name;
        });
        return name;
    }

  private:
    template <std::size_t... I>
    rows(const weir_operator_rows_batch_t &batch, std::index_sequence<I...>)
        : size_(batch.row_count), views_(view<type_at<Row, I>>(batch.columns.ptr[I])...) {}

    template <std::size_t... I>
    rows(const weir_operator_rows_batch_t &batch, const std::array<std::uint32_t, width<Row>> &indices,
         std::index_sequence<I...>)
        : size_(batch.row_count), views_(view<type_at<Row, I>>(batch.columns.ptr[indices[I]])...) {}

    std::uint32_t size_;
    typename mapped<Row, view>::type views_;
};

} // namespace weir
