// The answer to a call as it grows: output rows, and where each comes from.
#pragma once

#include "builder.hpp"
#include "call.hpp"

namespace weir {

// Takes output rows, in the order of the input rows that they come from.
template <class Row>
class emitter {
  public:
    // Answers with a row that comes from the row at hand.
    void emit(const Row &row) { emit_from(current.row, row); }

    // Answers with a row that comes from input row `from`.
    void emit_from(std::uint32_t from, const Row &row) {
        from_.push(from);
        for_columns<Row>([&](auto i) { std::get<i>(builders_).push(row.*std::get<i>(Row::columns).member); });
    }

    // For the glue.

    auto &builders() { return builders_; }
    growing<std::uint32_t> &from() { return from_; }

    // Fails the call unless each row comes from one of `input`, and none from one before that of the row before.
    void check_order(std::uint32_t input) const {
        std::uint32_t before = 0;
        for (std::uint32_t from : from_) {
            if (from < before) return fail("the operator emitted a row from input row ", from, " after one from ", before);
            if (from >= input) return fail("the operator emitted a row from input row ", from, " of ", input);
            before = from;
        }
    }

    // Whether there is one output row for each input row.
    bool is_same(std::uint32_t input) const {
        if (from_.size() != input) return false;
        std::uint32_t row = 0;
        return std::all_of(from_.begin(), from_.end(), [&](std::uint32_t from) { return from == row++; });
    }

    template <class List>
    List take_columns() {
        growing<weir_operator_rows_column_t> columns;
        for_columns<Row>([&](auto i) { columns.push(std::get<i>(builders_).take()); });
        return columns.take<List>();
    }

  private:
    growing<std::uint32_t> from_;
    typename mapped<Row, builder>::type builders_;
};

} // namespace weir
