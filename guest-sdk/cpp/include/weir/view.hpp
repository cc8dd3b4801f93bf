// Views of input columns, in Arrow's layout.
#pragma once

#include "value.hpp"

namespace weir {

inline bool bit_at(const std::uint8_t *bits, std::size_t row) { return bits[row / 8] >> row % 8 & 1; }

// The bytes of all rows, one after the other.
struct texts {
    // One more than there are rows: row i is data[offsets[i]] up to data[offsets[i + 1]].
    const std::int32_t *offsets;
    std::string_view data;

    std::string_view operator[](std::size_t row) const {
        return {data.data() + offsets[row], static_cast<std::size_t>(offsets[row + 1] - offsets[row])};
    }
};

// A column of values of type T, one for each row of the call.
template <class T>
class view {
    using bare = weir::bare<T>;
    static constexpr bool is_text = std::is_same_v<bare, std::string_view> || std::is_same_v<bare, binary>;

  public:
    explicit view(const weir_operator_rows_column_t &column) {
        const auto &val = column.values.val;
        if constexpr (is_text) {
            values_ = {val.utf8.offsets.ptr, {reinterpret_cast<const char *>(val.utf8.data.ptr), val.utf8.data.len}};
        } else if constexpr (std::is_same_v<bare, bool>) {
            values_ = val.boolean.ptr;
        } else if constexpr (std::is_same_v<bare, double>) {
            values_ = val.float64.ptr;
        } else {
            values_ = val.int64.ptr;
        }
        if (column.validity.is_some) validity_ = column.validity.val.ptr;
    }

    // A pointer to numbers or bits, or texts.
    const auto &values() const { return values_; }

    bool is_null(std::size_t row) const { return validity_ && !bit_at(validity_, row); }

    // The row's value, whether or not it is null: then it is anything.
    bare raw(std::size_t row) const {
        if constexpr (std::is_same_v<bare, bool>) return bit_at(values_, row);
        else if constexpr (std::is_same_v<bare, timestamp> || std::is_same_v<bare, binary>) return {values_[row]};
        else return values_[row];
    }

    // The row's value, or none.
    std::optional<bare> operator[](std::size_t row) const {
        return is_null(row) ? std::nullopt : std::optional<bare>(raw(row));
    }

  private:
    using number = std::conditional_t<std::is_same_v<bare, timestamp>, std::int64_t, bare>;
    using pointer = std::conditional_t<std::is_same_v<bare, bool>, const std::uint8_t *, const number *>;
    std::conditional_t<is_text, texts, pointer> values_;
    const std::uint8_t *validity_ = nullptr;
};

} // namespace weir
