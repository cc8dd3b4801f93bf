// Output columns, as they grow.
#pragma once

#include "growing.hpp"
#include "value.hpp"

namespace weir {

// One bit a row.
class bits {
  public:
    void push(bool bit) {
        if (size_ % 8 == 0) bytes_.push(0);
        bytes_[size_ / 8] |= static_cast<std::uint8_t>(bit << size_ % 8);
        size_++;
    }

    weir_operator_rows_bitmap_t take() { return bytes_.take<weir_operator_rows_bitmap_t>(); }

  private:
    growing<std::uint8_t> bytes_;
    std::size_t size_ = 0;
};

// Text that is copied.
class copies {
  public:
    void push(std::string_view text) {
        if (!offsets_.size()) offsets_.push(0);
        data_.append(reinterpret_cast<const std::uint8_t *>(text.data()), text.size());
        offsets_.push(static_cast<std::int32_t>(data_.size()));
    }

    weir_operator_rows_var_len_t take() {
        if (!offsets_.size()) offsets_.push(0);
        return {offsets_.take<wit_list_s32_t>(), data_.take<wit_list_u8_t>()};
    }

  private:
    growing<std::int32_t> offsets_;
    growing<std::uint8_t> data_;
};

// Text that lies in an input column.
class parts {
  public:
    void push(std::string_view text, std::string_view source) {
        // Below the source it wraps round, to beyond its end.
        auto address = [](std::string_view of) { return reinterpret_cast<std::uintptr_t>(of.data()); };
        std::size_t start = text.empty() ? 0 : address(text) - address(source);
        if (start > source.size() || text.size() > source.size() - start) [[unlikely]] {
            panic("what is emitted as a part of a column is no part of it");
        }
        starts_.push(static_cast<std::uint32_t>(start));
        lengths_.push(static_cast<std::uint32_t>(text.size()));
    }

    weir_operator_rows_slices_t take(std::uint32_t source) {
        return {source, starts_.take<wit_list_u32_t>(), lengths_.take<wit_list_u32_t>()};
    }

  private:
    growing<std::uint32_t> starts_;
    growing<std::uint32_t> lengths_;
};

// The input column that a column's values are parts of.
struct source {
    bool is_there = false;
    std::uint32_t index = 0;
    std::string_view data = {};
};

// A column of values of type T.
template <class T>
class builder {
    using bare = weir::bare<T>;
    static constexpr bool is_text = std::is_same_v<bare, std::string_view> || std::is_same_v<bare, binary>;
    static constexpr bool is_micros = std::is_same_v<bare, timestamp>;

  public:
    void cut(source source) { source_ = source; }

    void push(const T &item) {
        if constexpr (is_nullable<T>) {
            validity_.push(item.has_value());
            push_bare(item.value_or(bare{}));
        } else {
            push_bare(item);
        }
    }

    weir_operator_rows_column_t take() {
        weir_operator_rows_column_t column = {};
        column.values.tag = static_cast<std::uint8_t>(data_type_of<T>());
        auto &val = column.values.val;
        if constexpr (is_text) {
            if (source_.is_there) {
                column.values.tag = WEIR_OPERATOR_ROWS_VALUES_SLICES;
                val.slices = parts_.take(source_.index);
            } else {
                val.utf8 = values_.take();
            }
        } else if constexpr (std::is_same_v<bare, bool>) {
            val.boolean = values_.take();
        } else if constexpr (std::is_same_v<bare, double>) {
            val.float64 = values_.template take<wit_list_f64_t>();
        } else {
            val.int64 = values_.template take<wit_list_s64_t>();
        }
        if constexpr (is_nullable<T>) column.validity = {true, validity_.take()};
        return column;
    }

  private:
    void push_bare(const bare &item) {
        if constexpr (std::is_same_v<bare, std::string_view>) push_text(item);
        else if constexpr (std::is_same_v<bare, binary>) push_text(item.bytes);
        else if constexpr (is_micros) values_.push(item.micros);
        else values_.push(item);
    }

    void push_text(std::string_view text) {
        if (source_.is_there) parts_.push(text, source_.data);
        else values_.push(text);
    }

    struct nothing {};
    using number = growing<std::conditional_t<is_micros, std::int64_t, bare>>;
    using bit_or_number = std::conditional_t<std::is_same_v<bare, bool>, bits, number>;

    std::conditional_t<is_text, copies, bit_or_number> values_;
    [[no_unique_address]] std::conditional_t<is_text, parts, nothing> parts_;
    [[no_unique_address]] std::conditional_t<is_nullable<T>, bits, nothing> validity_;
    source source_;
};

} // namespace weir
